"""Training as work: which measurements count, fitting and judging, and what is written about the result."""
