"""The host: what it is, what state it is in, its CPUs, and child processes on it."""
