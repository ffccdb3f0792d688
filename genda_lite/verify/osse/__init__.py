"""Observing system simulation experiments: the truth is known, the observing system is ours to choose."""
