"""Single forecasts while agents report results and a target is adapted, beside the same forecasts without."""

import re
import time
from collections.abc import Callable, Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from statistics import median
from typing import Any, TypeVar

from service.cli.bench.load import Call, Load, drive
from service.cli.demo.processes import running, wait_for

__all__ = ["MEASURING_S", "Busy", "measure_busy"]

MEASURING_S = 0.25
"""What an agent that replays takes for a measurement: so far apart are its results, where the service keeps up."""

FILLED_S = 180.0
"""Within this time every agent has jobs for a minute."""
CALLERS = (1, 16)
OK, FIRST_REFUSAL = 200, 400
T = TypeVar("T")
AGENTS_CALLS = re.compile(
    r'^latcast_calls_total\{method="POST",route="/jobs/(lease|\{job_id\}/result)",status="(\d+)"\} (\S+)$', re.M
)


@dataclass(frozen=True, slots=True, kw_only=True)
class Busy:
    """The service at work beside the service at rest, medians over rounds.

    Args:
        callers: connections that ask for single forecasts.
        calls_per_second, quiet_calls_per_second: of them all.
        p99_ms, quiet_p99_ms: of the answers.
        p99_ratio: one ÷ the other.
        p99_served_ms, quiet_p99_served_ms, p99_served_ratio: the same without the callers' own waits for a core.
    """

    callers: int
    calls_per_second: float
    quiet_calls_per_second: float
    p99_ms: float
    quiet_p99_ms: float
    p99_ratio: float
    p99_served_ms: float
    quiet_p99_served_ms: float
    p99_served_ratio: float


@dataclass(frozen=True, slots=True)
class _Counted:
    """Calls of agents that a service has answered.

    Args:
        results: that were taken.
        refused: whatever was answered otherwise than with success.
    """

    results: float
    refused: float


def measure_busy(
    port: int, calls: Sequence[Call], *, agents: int, folder: Path, rounds: int, seconds: float
) -> dict[str, Any]:
    """A report: `agents`; `offered_per_second`, what they deliver at most; `results_per_second_alone` and
    `results_per_second`, what they delivered before and while forecasts were asked; `refused_calls` of theirs in both;
    and a `Busy` for each number of callers.

    Args:
        port: of a service on loopback without keys.
        calls: for single forecasts.
        agents: how many replay results.
        folder: for their log.
        rounds: measurements of each.
        seconds: of each measurement.
    """
    quiet = [_loads(port, calls, callers, rounds, seconds) for callers in CALLERS]
    log = folder / "agents.log"
    arguments = [f"http://127.0.0.1:{port}", str(agents)]
    with running(arguments, log=log, module="service.cli.bench.replay") as process:
        wait_for(
            lambda: _counted(port).results >= agents, process=process, log=log, what="The agents", timeout_s=FILLED_S
        )
        first = _counted(port)
        _, alone = _during(port, lambda: time.sleep(rounds * seconds))
        busy, beside = _during(port, lambda: [_loads(port, calls, each, rounds, seconds) for each in CALLERS])
        refused = _counted(port).refused - first.refused
    compared = [_compared(*each) for each in zip(CALLERS, busy, quiet, strict=True)]
    return {
        "agents": agents,
        "offered_per_second": agents / MEASURING_S,
        "results_per_second_alone": alone,
        "results_per_second": beside,
        "refused_calls": int(refused),
        "results": [asdict(each) for each in compared],
    }


def _during(port: int, work: Callable[[], T]) -> tuple[T, float]:
    """(what the work gives, results a second that agents delivered meanwhile)."""
    began, before = time.perf_counter(), _counted(port).results
    done = work()
    return done, (_counted(port).results - before) / (time.perf_counter() - began)


def _loads(port: int, calls: Sequence[Call], callers: int, rounds: int, seconds: float) -> list[Load]:
    return [drive(port, calls, callers=callers, seconds=seconds) for _ in range(rounds)]


def _counted(port: int) -> _Counted:
    import httpx2

    return _read(httpx2.get(f"http://127.0.0.1:{port}/metrics", trust_env=False, timeout=30).text)


def _read(metrics: str) -> _Counted:
    """What metrics say."""
    calls = [(route, int(status), float(count)) for route, status, count in AGENTS_CALLS.findall(metrics)]
    return _Counted(
        results=sum(count for route, status, count in calls if route != "lease" and status == OK),
        refused=sum(count for _, status, count in calls if status >= FIRST_REFUSAL),
    )


def _compared(callers: int, busy: Sequence[Load], quiet: Sequence[Load]) -> Busy:
    p99_ms, quiet_p99_ms = (median(load.p99_ms for load in loads) for loads in (busy, quiet))
    served_ms, quiet_served_ms = (median(load.p99_served_ms for load in loads) for loads in (busy, quiet))
    return Busy(
        callers=callers,
        calls_per_second=median(load.per_second for load in busy),
        quiet_calls_per_second=median(load.per_second for load in quiet),
        p99_ms=p99_ms,
        quiet_p99_ms=quiet_p99_ms,
        p99_ratio=p99_ms / quiet_p99_ms,
        p99_served_ms=served_ms,
        quiet_p99_served_ms=quiet_served_ms,
        p99_served_ratio=served_ms / quiet_served_ms,
    )
