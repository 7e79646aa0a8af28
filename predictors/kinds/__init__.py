"""The predictors, one module or folder a method."""
