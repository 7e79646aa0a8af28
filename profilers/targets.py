"""What this machine can be as a target, and why not something else.

A target is backend × version × precision × threads × options. `survey` lists all there are; `local_targets` is a choice
of them that differ in what they execute, for campaigns that measure many graphs on each.
"""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass

from latcast.schema import Availability, ProfileSettings
from latcast.schema.counting import counted
from profilers.backends import Backend, backend_names, get_backend
from profilers.host.device import describe_device

__all__ = ["CHOSEN", "Kind", "local_targets", "survey", "why_not"]

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
class Kind:
    """The targets of one backend and one precision.

    Args:
        backend: name of the backend.
        version: version of its runtime; empty where there is none.
        precision: what the backend does to the model.
        most_threads: one thread up to so many are possible; 0 where nothing is.
        options: values of each option, the default first; an empty tuple stands for free text.
        reason: why this machine cannot be such a target, and what would help; empty where it can.
    """

    backend: str
    version: str
    precision: str
    most_threads: int
    options: Mapping[str, tuple[str, ...]]
    reason: str = ""


def survey() -> tuple[Kind, ...]:
    """Every backend × precision that is registered, those that this machine cannot be with the reason.

    Backends for tests are left out.
    """
    cores = describe_device().logical_cores
    backends = [get_backend(name) for name in backend_names()]
    return tuple(kind for backend in backends if not backend.for_tests for kind in _kinds(backend, cores))


def _kinds(backend: Backend, cores: int) -> Iterator[Kind]:
    availability = backend.probe()
    options = {
        option: tuple(dict.fromkeys((default, *backend.option_choices[option])))
        if option in backend.option_choices
        else ()
        for option, default in backend.default_options.items()
    }
    for precision in backend.precisions:
        reason = _refusal(backend, precision, availability)
        yield Kind(
            backend=backend.name,
            version=availability.version,
            precision=precision,
            most_threads=0 if reason else _most_threads(backend, cores),
            options=options,
            reason=reason,
        )


def local_targets(chosen: Sequence[ProfileSettings] = CHOSEN) -> tuple[ProfileSettings, ...]:
    """Those of the chosen settings that this machine can measure, in their order."""
    return tuple(settings for settings, reason in why_not(chosen) if not reason)


def why_not(chosen: Sequence[ProfileSettings] = CHOSEN) -> tuple[tuple[ProfileSettings, str], ...]:
    """The chosen settings, each with the reason if this machine cannot measure it and with an empty text if it can."""
    cores = describe_device().logical_cores
    return tuple((settings, _reason(settings, cores)) for settings in chosen)


def _reason(settings: ProfileSettings, cores: int) -> str:
    if settings.backend not in backend_names():
        return f"There is no backend {settings.backend!r}: install the package that brings it."
    backend = get_backend(settings.backend)
    refusal = _refusal(backend, settings.precision, backend.probe())
    if refusal:
        return refusal
    most = _most_threads(backend, cores)
    if settings.threads > most:
        return (
            f"{counted(settings.threads, 'thread')} are more than the {most} that {backend.name} can use on "
            "this machine."
        )
    return ""


def _most_threads(backend: Backend, cores: int) -> int:
    return min(cores, backend.most_threads or cores)


def _refusal(backend: Backend, precision: str, availability: Availability) -> str:
    if not availability.ok:
        return availability.reason
    if precision not in backend.precisions:
        return f"{backend.name} does not know the precision {precision!r}: it has {', '.join(backend.precisions)}."
    if precision not in availability.precisions:
        return f"The processor of this machine does not compute in {precision}, or {backend.name} does not use it."
    return ""
