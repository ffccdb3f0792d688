"""Verification: how good an analysis is, and how honest its ensemble."""

from .scores import crps, rank_histogram, rmse, spread, spread_skill_ratio

__all__ = ["crps", "rank_histogram", "rmse", "spread", "spread_skill_ratio"]
