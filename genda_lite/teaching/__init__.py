"""Answers to exercises checked, and notebooks without their solutions."""

from .checks import Verdict, check
from .student import student_version, write_student_versions

__all__ = ["Verdict", "check", "student_version", "write_student_versions"]
