"""Torch modules, one paper in each file. Nothing here is imported unless a predictor that needs it is used."""
