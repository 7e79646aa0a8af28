"""Targets and the settings that measure on them, each out of the other."""

from collections.abc import Mapping
from typing import Any

from latcast.schema import Device, ProfileSettings, Target
from profilers.backends import get_backend

__all__ = ["settings_for", "target_for"]


def target_for(device: Device, settings: ProfileSettings) -> Target:
    """The target that a measurement with these settings belongs to; the backend's default options are spelled out.

    Raises:
        UnknownNameError: no such backend.
    """
    backend = get_backend(settings.backend)
    return Target(
        device=device.fingerprint,
        backend=settings.backend,
        backend_version=backend.probe().version,
        precision=settings.precision,
        threads=settings.threads,
        options={**backend.default_options, **settings.options},
    )


def settings_for(target: Target, overrides: Mapping[str, Any] | None = None) -> ProfileSettings:
    """How to measure on a target: its backend, precision, threads and options, the rest by default or as given."""
    return ProfileSettings(
        backend=target.backend,
        precision=target.precision,
        threads=target.threads,
        options=dict(target.options),
        **(overrides or {}),
    )
