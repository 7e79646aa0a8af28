"""The house predictor for whole graphs, kernel by kernel."""
