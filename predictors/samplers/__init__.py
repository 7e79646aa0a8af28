"""Which networks to measure next on a target."""
