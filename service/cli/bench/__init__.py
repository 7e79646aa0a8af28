"""`latcast bench`: how good predictors are."""
