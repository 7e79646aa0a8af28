"""Graph or architecture → arrays."""
