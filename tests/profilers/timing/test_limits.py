"""Limits of measuring processes, out of settings."""

import os

from latcast.schema import ProfileSettings
from profilers.timing.limits import limits_of


def test_limits_are_those_of_the_settings() -> None:
    limits = limits_of(ProfileSettings(timeout_s=7.0, memory_limit_bytes=2**28))
    assert (limits.timeout_s, limits.memory_bytes, limits.file_bytes) == (7.0, 2**28, 2**28)
    assert limits.parent_pid == os.getpid()


def test_a_shorter_time_may_be_left() -> None:
    assert limits_of(ProfileSettings(timeout_s=7.0), timeout_s=2.0).timeout_s == 2.0
