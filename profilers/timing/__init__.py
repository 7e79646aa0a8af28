"""Timing models: the one loop, interleaved sessions, the sentinel, and the sandbox around them."""
