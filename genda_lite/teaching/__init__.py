"""Answers to exercises checked, notebooks without their solutions, and a key with them."""

from .checks import Verdict, check
from .key import key_of, write_key
from .student import student_version, write_student_versions

__all__ = ["Verdict", "check", "key_of", "student_version", "write_key", "write_student_versions"]
