"""Balanced, curved and wind-driven currents, and paths of what drifts."""
