"""Samplers: choosing which networks to measure on a target."""
