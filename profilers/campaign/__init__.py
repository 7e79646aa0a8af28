"""Measuring campaigns: many graphs on all targets of a machine, resumably, into an append-only log."""

from profilers.campaign.log import LOG_FILE, CampaignLog, Check, Entry, Note, Row, is_careful, read_log, read_rows

__all__ = ["LOG_FILE", "CampaignLog", "Check", "Entry", "Note", "Row", "is_careful", "read_log", "read_rows"]
