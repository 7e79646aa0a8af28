"""Judging predictors: metrics, cross-validation, leave-one-out errors, benchmarks."""
