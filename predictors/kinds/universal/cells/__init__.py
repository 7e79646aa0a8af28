"""The house predictor for cells of search spaces."""
