"""Measuring campaigns: many graphs on all targets of a machine, resumably, into an append-only log."""

from profilers.campaign.log import LOG_FILE, CampaignLog, Check, Entry, Note, Row, is_careful, read_log, read_rows
from profilers.campaign.run import Report, run_campaign
from profilers.campaign.steps import Recipe, Step, known_families, steps
from profilers.campaign.tally import Tally, tallies

__all__ = [
    "LOG_FILE",
    "CampaignLog",
    "Check",
    "Entry",
    "Note",
    "Recipe",
    "Report",
    "Row",
    "Step",
    "Tally",
    "is_careful",
    "known_families",
    "read_log",
    "read_rows",
    "run_campaign",
    "steps",
    "tallies",
]
