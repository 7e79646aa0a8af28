"""`python -m benchmarks.faults`: faults in turn, on each database, and what is left after them.

Examples:
    python -m benchmarks.faults --rounds 100 --minutes 20 --json faults.json
    python -m benchmarks.faults --database sqlite --fault 'service killed' --rounds 10

Ctrl+C ends it after the round that is under way, and prints what came of it.
"""

import argparse
import json
import random
import signal
import statistics
import sys
import time
from collections.abc import Callable, Sequence
from dataclasses import asdict
from functools import partial
from pathlib import Path
from tempfile import TemporaryDirectory
from threading import Event
from typing import Any

from benchmarks.faults.databases import Postgres, Sqlite, TestedDatabase, small_disk
from benchmarks.faults.world import World
from profilers.progress import no_progress

__all__ = ["main", "run"]

DATABASES: dict[str, type[TestedDatabase]] = {"sqlite": Sqlite, "postgres": Postgres}


def run(
    kind: type[TestedDatabase], folder: Path, *, faults: Sequence[str] = (), rounds: int, minutes: float,
    agents: int = 16, each: int = 5, seed: int = 0, say: Callable[[str], None] = no_progress,
    enough: Callable[[], bool] = lambda: False,
) -> dict[str, Any]:  # fmt: skip
    """Rounds on one database: the faults take turns.

    Args:
        kind: of the database.
        folder: for everything that is written.
        faults: which; all that can be done where left out.
        rounds: of each fault, at most.
        minutes: of each fault, at most.
        agents: how many report.
        each: measurements that are ordered for each agent, in each round.
        seed: of the moments at which harm is done.
        say: told of each round.
        enough: asked before each round; once it says so, what came of the rounds before is counted.
    """
    at_random, seconds = random.Random(seed), {}
    with small_disk(folder / "disk") as small:
        database = kind(folder / "disk", small=small)
        try:
            with World(folder / "world", database, agents=agents) as world:
                chosen = {name: harm for name, harm in world.harms().items() if not faults or name in faults}
                seconds = {name: [] for name in chosen}
                until = time.monotonic() + 60 * minutes * len(chosen)
                for name in list(chosen) * rounds:
                    if time.monotonic() >= until or enough():
                        break
                    say(f"{kind.name}: {name}, {len(world.acknowledged())} rows acknowledged")
                    seconds[name].append(world.endure(chosen[name], each=each, at_random=at_random))
                losses = world.losses()
        finally:
            database.close()
    return {"database": kind.name, "agents": agents, "seconds": seconds, "well": losses.none, **asdict(losses)}


def table(results: Sequence[dict[str, Any]]) -> str:
    """The results as Markdown."""
    lines = ["| database | fault | rounds | s until results, median | most |", "| --- | --- | --- | --- | --- |"]
    for result in results:
        for name, seconds in result["seconds"].items():
            middle, most = (statistics.median(seconds), max(seconds)) if seconds else (0.0, 0.0)
            lines.append(f"| {result['database']} | {name} | {len(seconds)} | {middle:.2f} | {most:.2f} |")
    lines += ["", "| database | acknowledged | lost | double | stuck | jobs |", "| --- | --- | --- | --- | --- | --- |"]
    for result in results:
        jobs = ", ".join(f"{count} {state}" for state, count in result["jobs"].items())
        figures = " | ".join(str(result[name]) for name in ("acknowledged", "lost", "double", "stuck"))
        lines.append(f"| {result['database']} | {figures} | {jobs} |")
    return "\n".join(lines)


def main(arguments: Sequence[str] | None = None) -> int:
    """Run what the command line asks for; 1 where something was lost, doubled or stuck."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--database", choices=sorted(DATABASES), action="append", help="repeatable; both by default")
    parser.add_argument("--fault", action="append", default=[], help="repeatable; all by default")
    parser.add_argument("--rounds", type=int, default=100, help="of each fault (default: 100)")
    parser.add_argument("--minutes", type=float, default=20.0, help="of each fault, at most (default: 20)")
    parser.add_argument("--agents", type=int, default=16)
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--json", type=Path, help="file for the figures")
    chosen = parser.parse_args(arguments)
    results, say, interrupted = [], partial(print, file=sys.stderr, flush=True), Event()

    def interrupt(_signal: int, _frame: object) -> None:
        if interrupted.is_set():
            raise KeyboardInterrupt
        interrupted.set()
        say("This round is the last; what was lost by then is counted. Interrupt again to end at once.")

    signal.signal(signal.SIGINT, interrupt)
    for name in chosen.database or sorted(DATABASES):
        if interrupted.is_set():
            break
        with TemporaryDirectory(prefix="latcast-faults-") as folder:
            results.append(
                run(DATABASES[name], Path(folder), faults=chosen.fault, rounds=chosen.rounds, minutes=chosen.minutes,
                    agents=chosen.agents, seed=chosen.seed, say=say, enough=interrupted.is_set)
            )  # fmt: skip
    print(table(results))
    if chosen.json:
        chosen.json.write_text(json.dumps(results, indent=1))
    return 0 if all(result["well"] for result in results) else 1


if __name__ == "__main__":
    sys.exit(main())
