"""`python -m tests.hostile` sends the whole corpus to a service and prints what came of it, as a table.

With `--at-once` it throws the worst of it at once, and prints how much longer others wait meanwhile.
"""

import argparse
import sys
from collections.abc import Sequence
from pathlib import Path
from tempfile import TemporaryDirectory

import httpx2

from tests.hostile import at_once, bodies, connections, models, reports
from tests.hostile.entry import Entry, require_contained, try_out
from tests.hostile.served import SERVER_MIB, WORKERS_MIB, Served

CORPORA = (models.ENTRIES, bodies.ENTRIES, connections.ENTRIES, reports.ENTRIES)
HEAD = ("entry", "", "status", "s", "MiB server / workers", "sentence")


def row(served: Served, entry: Entry) -> tuple[str, ...]:
    """What an entry did, as cells."""
    if not served.is_alive:
        served.stop()
        served.start()
    try:
        outcome = try_out(served, entry)
        require_contained(entry, outcome)
        verdict = "held"
    except AssertionError as error:
        verdict = f"FAILED: {str(error)[:150]}"
    except httpx2.HTTPError as error:
        return entry.name, f"FAILED: {error}", "", "", "", ""
    answer = outcome.answer
    return (
        entry.name, verdict, str(answer.status), f"{outcome.seconds:.2f}",
        f"{outcome.grew_mib:+.0f} / {outcome.workers_mib:.0f}", answer.sentence[:150],
    )  # fmt: skip


def write(cells: Sequence[str]) -> None:
    sys.stdout.write("| " + " | ".join(cell.replace("|", "\\|") for cell in cells) + " |\n")
    sys.stdout.flush()


def one_by_one(served: Served, chosen: Sequence[str]) -> int:
    """Print a row for each entry whose name holds one of these; how many were not contained."""
    write(HEAD)
    write(["---"] * len(HEAD))
    failed = 0
    for entry in (entry for corpus in CORPORA for entry in corpus):
        if not chosen or any(part in entry.name for part in chosen):
            cells = row(served, entry)
            failed += cells[1] != "held"
            write(cells)
    return failed


def main(arguments: Sequence[str] | None = None) -> int:
    """Run what the command line asks for; 1 where something was not contained."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("name", nargs="*", help="only entries whose names hold one of these")
    parser.add_argument("--at-once", action="store_true", help="the worst at once; the others' waiting times as ratios")
    parser.add_argument("--rounds", type=int, default=5, help="of --at-once (default: 5)")
    chosen = parser.parse_args(arguments)
    with TemporaryDirectory() as folder, Served(Path(folder)) as served:
        if not chosen.at_once:
            return 1 if one_by_one(served, chosen.name) else 0
        rounds = [at_once.run_round(served) for _ in range(chosen.rounds)]
    sys.stdout.write(at_once.table(rounds) + "\n")
    within = all(one.server_mib <= SERVER_MIB and one.workers_mib <= WORKERS_MIB for one in rounds)
    return 0 if within else 1


if __name__ == "__main__":
    sys.exit(main())
