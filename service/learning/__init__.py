"""From measurements to predictors: data sets, support sets, adaptations, artifacts, the catalogue."""
