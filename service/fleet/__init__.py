"""The machines and who may speak for them: registration, targets, keys, microbenchmarks."""
