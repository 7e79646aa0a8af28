"""Rows to learn from: data sets and their splits, importers, the measured data set, host drift."""
