"""The dashboard over many measurements: databases made of the shipped data set, and how long its queries take."""
