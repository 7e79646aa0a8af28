"""Fixtures for every test; nothing here may import a runtime before the environment is set."""

import os

os.environ["ORT_DISABLE_TELEMETRY"] = "1"
