"""Conformance suites, shipped with the code: every implementation passes them."""
