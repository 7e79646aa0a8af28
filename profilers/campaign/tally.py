"""What a campaign has of each target so far."""

from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from latcast.schema import ProfileSettings, Target, TargetId
from profilers.backends.target_settings import target_for
from profilers.campaign.log import LOG_FILE, Note, Row, RowKey, read_log, row_key
from profilers.host.device import describe_device

__all__ = ["Tally", "tallies"]


@dataclass(frozen=True, slots=True, kw_only=True)
class Tally:
    """What a target has.

    Args:
        target: whose rows are counted.
        settings: settings that belong to it.
        networks, kernels: graphs measured, without repetitions and failures.
        failures: rows without a latency.
        described: whether there are microbenchmarks.
    """

    target: Target
    settings: ProfileSettings
    networks: int = 0
    kernels: int = 0
    failures: int = 0
    described: bool = False


def tallies(folder: Path, targets: Sequence[ProfileSettings]) -> list[Tally]:
    """What the campaign in this folder has of these targets so far; nothing where there is no log yet."""
    device = describe_device()
    chosen = {target_for(device, settings).id: settings for settings in targets}
    counts: dict[TargetId, Counter[str]] = {name: Counter() for name in chosen}
    seen: set[RowKey] = set()
    for entry in read_log(folder, runs=False) if (folder / LOG_FILE).exists() else ():
        if isinstance(entry, Note) and entry.target.id in counts:
            counts[entry.target.id]["described"] += entry.microbench is not None
        elif isinstance(entry, Row) and entry.measurement.target.id in counts and row_key(entry) not in seen:
            seen.add(row_key(entry))
            counts[entry.measurement.target.id][_class(entry)] += 1
    return [
        Tally(
            target=target_for(device, settings),
            settings=settings,
            networks=counts[name]["network"],
            kernels=counts[name]["kernel"],
            failures=counts[name]["failure"],
            described=bool(counts[name]["described"]),
        )
        for name, settings in chosen.items()
    ]


def _class(row: Row) -> str:
    if row.measurement.failure is not None:
        return "failure"
    return "kernel" if row.architecture.space == "kernels" else "network"
