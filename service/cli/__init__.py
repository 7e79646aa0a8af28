"""The command line: `latcast …`."""
