"""Graphs, search spaces and measuring: everything that knows what a network is and runs it on this machine."""
