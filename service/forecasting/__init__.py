"""Forecasts: which predictor answers for a network, and the answer."""
