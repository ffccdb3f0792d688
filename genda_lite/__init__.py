"""Generative data assimilation of the surface ocean."""
