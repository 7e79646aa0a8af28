"""A target in a campaign: how it is measured, and how far it is."""

from collections import Counter
from dataclasses import replace

from latcast.schema import Architecture, Device, ProfileSettings
from profilers.backends import get_backend
from profilers.backends.target_settings import target_for

__all__ = ["Lane"]

CAREFUL = ProfileSettings(processes=2, max_seconds=0.4, warmup_seconds=0.3, timeout_s=60)
QUICK = ProfileSettings(
    processes=1, min_samples=8, max_samples=60, max_seconds=0.08, warmup_seconds=0.03, stable_iqr=0.1, timeout_s=20,
    sentinel=False,
)  # fmt: skip
MOST_PROFILING_SECONDS = 1.0


class Lane:
    """One target in a campaign: its settings, and how far it is.

    `place` counts the steps of the sequence that are behind it, `measured` how often each architecture was measured
    while the machine was steady.

    Args:
        settings: settings that belong to the target.
        device: this machine.
    """

    def __init__(self, settings: ProfileSettings, device: Device) -> None:
        self.settings, self.target = settings, target_for(device, settings)
        self.place, self.noted, self.described = 0, False, False
        self.measured: Counter[Architecture] = Counter()

    @property
    def quick(self) -> ProfileSettings:
        """Settings of a process for many graphs; no kernels where profiling would take longer than all the rest."""
        affordable = get_backend(self.settings.backend).profiling_seconds <= MOST_PROFILING_SECONDS
        return replace(self._measured_as(QUICK), kernels=affordable)

    @property
    def careful(self) -> ProfileSettings:
        """Settings of sandboxed processes for each graph."""
        return self._measured_as(CAREFUL)

    def _measured_as(self, protocol: ProfileSettings) -> ProfileSettings:
        target = self.settings
        return replace(
            protocol,
            backend=target.backend,
            precision=target.precision,
            threads=target.threads,
            options=target.options,
        )
