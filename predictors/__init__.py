"""Forecasting latency: features, predictors, adaptation, samplers and metrics."""
