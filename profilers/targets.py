"""What this machine can be as a target, and why not something else.

A target is backend × version × precision × threads × options; `local_targets` is a choice of them that differ in what
they execute, for campaigns that measure many graphs on each.
"""

from collections.abc import Sequence
from dataclasses import dataclass

from profilers.backends import backend_names, get_backend
from profilers.environment import describe_device
from profilers.schema import Availability, ProfileSettings

__all__ = ["CHOSEN", "Candidate", "local_targets", "why_not"]

CHOSEN: tuple[ProfileSettings, ...] = (
    *(ProfileSettings(options={"optimisation": level}) for level in ("all", "extended", "basic", "disabled")),
    ProfileSettings(threads=2),
    ProfileSettings(precision="int8_dynamic"),
    ProfileSettings(precision="int8_static"),
    *(
        ProfileSettings(backend="openvino", precision=precision, threads=threads)
        for precision in ("fp32", "bf16")
        for threads in (1, 2)
    ),
    ProfileSettings(backend="tract"),
)
"""Settings worth a campaign: each level of optimisation, each precision, one thread and two."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Candidate:
    """Settings, and whether they can be measured here.

    Args:
        settings: backend, precision, threads and options.
        version: of the runtime, where there is one.
        reason: why it cannot be measured, and what would help; empty where it can.
    """

    settings: ProfileSettings
    version: str
    reason: str


def local_targets(chosen: Sequence[ProfileSettings] = CHOSEN) -> tuple[ProfileSettings, ...]:
    """Those of the chosen settings that this machine can measure, in their order."""
    return tuple(candidate.settings for candidate in why_not(chosen) if not candidate.reason)


def why_not(chosen: Sequence[ProfileSettings] = CHOSEN) -> tuple[Candidate, ...]:
    """The chosen settings, each with the reason if this machine cannot measure it."""
    cores = describe_device().logical_cores
    found = {name: get_backend(name).probe() for name in backend_names()}
    return tuple(_candidate(settings, found.get(settings.backend), cores) for settings in chosen)


def _candidate(settings: ProfileSettings, found: Availability | None, cores: int) -> Candidate:
    version = found.version if found else ""
    return Candidate(settings=settings, version=version, reason=_reason(settings, found, cores))


def _reason(settings: ProfileSettings, found: Availability | None, cores: int) -> str:
    if found is None:
        return f"There is no backend {settings.backend!r}: install the package that brings it."
    if not found.ok:
        return found.reason
    if settings.precision not in found.precisions:
        return f"{settings.backend} cannot run {settings.precision} here: it has {', '.join(found.precisions)}."
    most = get_backend(settings.backend).most_threads
    if most is not None and settings.threads > most:
        return f"{settings.backend} uses no more than {most} thread{'s' if most > 1 else ''}."
    if settings.threads > cores:
        return f"{settings.threads} threads are more than the {cores} logical cores that this machine grants."
    return ""
