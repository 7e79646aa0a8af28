"""Boosted trees over a smooth trend that extrapolates."""
