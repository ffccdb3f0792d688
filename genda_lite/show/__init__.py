"""Figures and sliders: what an analysis looks like."""
