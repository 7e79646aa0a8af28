"""Commands that train predictors, and manage those that were trained."""
