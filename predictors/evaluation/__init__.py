"""How good predictors are: metrics, cross-validation, benchmarks."""
