"""Commands about devices, targets and keys."""
