"""Features: graphs, architectures and devices as arrays."""
