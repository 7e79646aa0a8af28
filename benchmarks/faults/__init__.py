"""Losses after faults: rounds of killed, filled, locked and misled parts under agents that go on reporting.

`python -m benchmarks.faults` prints, for each kind of fault, how many rounds there were and how long it took until
results came in again; and at the end how many acknowledged rows are missing, how many are there twice, and how many
jobs are stuck.
"""
