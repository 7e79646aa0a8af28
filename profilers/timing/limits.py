"""What a process that measures may take, according to the settings."""

import os

from latcast.schema import ProfileSettings
from profilers.host.child_limits import ChildLimits

__all__ = ["limits_of"]


def limits_of(settings: ProfileSettings, *, timeout_s: float | None = None) -> ChildLimits:
    """The limits of a child of this process.

    Args:
        settings: they have the memory limit and the timeout of one process.
        timeout_s: another timeout.
    """
    return ChildLimits(
        timeout_s=settings.timeout_s if timeout_s is None else timeout_s,
        memory_bytes=settings.memory_limit_bytes,
        file_bytes=settings.memory_limit_bytes,
        parent_pid=os.getpid(),
    )
