"""Graph → steps: how a runtime rewrites and fuses a graph before it runs."""
