"""Statistics that several predictors share: random effects, conformal intervals."""
