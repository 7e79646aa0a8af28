"""Networks: stored by graph hash, and resolved from what callers name."""
