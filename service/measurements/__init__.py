"""Measured latencies: looked up, listed, exported, imported from tables."""
