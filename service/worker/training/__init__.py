"""Trainings, each in a process of its own: what starts it, watches it and writes what comes of it."""
