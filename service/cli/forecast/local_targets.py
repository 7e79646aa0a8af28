"""Targets that `latcast explain` knows without a service: this machine, and those of a measured data set."""

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from latcast.loops.target_names import has_words
from latcast.schema import Architecture, InputError, ProfileSettings, Target, UnknownNameError

if TYPE_CHECKING:
    from predictors.base import Predictor
    from predictors.data.measured import MeasuredTarget
    from service.forecasting.explanation import MeasuredNetwork

__all__ = ["LocalTarget", "target_of_data", "this_machine"]


@dataclass(frozen=True, slots=True, kw_only=True)
class LocalTarget:
    """A target and what there is to explain its forecasts with.

    Args:
        target: to explain for.
        device: its machine, for people.
        predictor: forecasts for it.
        measured: networks that were measured on it; each an architecture.
    """

    target: Target
    device: str
    predictor: "Predictor"
    measured: "Sequence[MeasuredNetwork]"


def this_machine(predictor: "Predictor") -> LocalTarget:
    """This machine at the default settings, without any measurement."""
    from profilers.backends.target_settings import target_for
    from profilers.host.device import describe_device

    device = describe_device()
    target = target_for(device, ProfileSettings())
    return LocalTarget(target=target, device=device.processor, predictor=predictor, measured=())


def target_of_data(folder: Path, wanted: str | None, predictor: "Predictor") -> LocalTarget:
    """A target of a measured data set.

    Args:
        folder: of the data set.
        wanted: beginning of the target's id, or words of its label and machine; None for the only one, or the default
            settings. Where several machines have the same target, the first machine of the data set is meant.
        predictor: trained on the data set, or at least not worse for not being.

    Raises:
        UnknownNameError: no target fits; lists those there are.
        InputError: several targets fit; lists them.
    """
    from predictors.data.measured import read_targets

    chosen = _one_target(read_targets(folder), wanted)
    return LocalTarget(
        target=chosen.target,
        device=chosen.device.processor,
        predictor=predictor,
        measured=_rows(folder, chosen.target),
    )


def _one_target(targets: "Sequence[MeasuredTarget]", wanted: str | None) -> "MeasuredTarget":
    if wanted is None:
        fitting = [one for one in targets if len(targets) == 1 or _is_default(one.target)]
    else:
        fitting = [one for one in targets if one.target.id.startswith(wanted)] or [
            one for one in targets if has_words(f"{one.target.label} {one.device.name} {one.device.processor}", wanted)
        ]
    listed = [f"{one.target.id} ({one.target.label}, {one.device.processor})" for one in (fitting or targets)]
    if not fitting:
        raise UnknownNameError("target", wanted or "of the default settings", listed)
    if len({one.target.label for one in fitting}) > 1:
        raise InputError(f"Several targets fit; choose one by its id (--target ID): {'; '.join(listed)}.")
    return fitting[0]  # of several machines with this target the first


def _is_default(target: Target) -> bool:
    """Whether it is what `latcast profile` measures when nobody says."""
    from profilers.backends import get_backend

    default = ProfileSettings()
    configuration = (target.backend, target.precision, target.threads)
    if configuration != (default.backend, default.precision, default.threads):
        return False
    return dict(target.options) == dict(get_backend(target.backend).default_options)


def _rows(folder: Path, target: Target) -> "list[MeasuredNetwork]":
    """Networks that were measured; of the large files no more is read than that takes."""
    from pyarrow import parquet

    from predictors.data.measured import ROWS_FILE
    from service.forecasting.explanation import MeasuredNetwork

    columns = ["space", "text", "latency_ms"]
    wanted = [("target", "==", target.id), ("stale", "==", False), ("space", "!=", "kernels")]
    table = parquet.read_table(folder / ROWS_FILE, columns=columns, filters=wanted)
    latencies: dict[Architecture, float] = {}
    for row in table.to_pylist():
        if row["latency_ms"] is not None:
            latencies[Architecture(space=row["space"], text=row["text"])] = row["latency_ms"]
    return [MeasuredNetwork(architecture=architecture, latency_ms=ms) for architecture, ms in latencies.items()]
