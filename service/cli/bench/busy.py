"""Single forecasts while agents report results and a target is adapted, beside the same forecasts without."""

import re
import time
from collections.abc import Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from statistics import median
from typing import Any

from service.cli.bench.load import Call, Load, drive
from service.cli.demo.processes import running, wait_for

__all__ = ["Busy", "measure_busy"]

CALLERS = (1, 16)
RESULTS = re.compile(r'^latcast_calls_total\{method="POST",route="/jobs/\{job_id\}/result",status="200"\} (\S+)$', re.M)


@dataclass(frozen=True, slots=True, kw_only=True)
class Busy:
    """The service at work beside the service at rest, medians over rounds.

    Args:
        callers: connections that ask for single forecasts.
        calls_per_second, quiet_calls_per_second: of them all.
        p99_ms, quiet_p99_ms: of the answers.
        p99_ratio: one ÷ the other.
    """

    callers: int
    calls_per_second: float
    quiet_calls_per_second: float
    p99_ms: float
    quiet_p99_ms: float
    p99_ratio: float


def measure_busy(
    port: int, calls: Sequence[Call], *, agents: int, folder: Path, rounds: int, seconds: float
) -> dict[str, Any]:
    """A report: `agents`, `results_per_second` that they delivered, and a `Busy` for each number of callers.

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
        wait_for(lambda: _results(port) >= agents, process=process, log=log, what="The agents")
        began, before = time.perf_counter(), _results(port)
        busy = [_loads(port, calls, callers, rounds, seconds) for callers in CALLERS]
        per_second = (_results(port) - before) / (time.perf_counter() - began)
    compared = [_compared(*each) for each in zip(CALLERS, busy, quiet, strict=True)]
    return {"agents": agents, "results_per_second": per_second, "results": [asdict(each) for each in compared]}


def _loads(port: int, calls: Sequence[Call], callers: int, rounds: int, seconds: float) -> list[Load]:
    return [drive(port, calls, callers=callers, seconds=seconds) for _ in range(rounds)]


def _results(port: int) -> float:
    """How many results the service has taken."""
    import httpx2

    said = httpx2.get(f"http://127.0.0.1:{port}/metrics", trust_env=False, timeout=30).text
    found = RESULTS.search(said)
    return float(found[1]) if found else 0.0


def _compared(callers: int, busy: Sequence[Load], quiet: Sequence[Load]) -> Busy:
    p99_ms, quiet_p99_ms = (median(load.p99_ms for load in loads) for loads in (busy, quiet))
    return Busy(
        callers=callers,
        calls_per_second=median(load.per_second for load in busy),
        quiet_calls_per_second=median(load.per_second for load in quiet),
        p99_ms=p99_ms,
        quiet_p99_ms=quiet_p99_ms,
        p99_ratio=p99_ms / quiet_p99_ms,
    )
