"""`python -m tests.hostile` sends the whole corpus to a service and prints what came of it, as a table."""

import sys
from collections.abc import Sequence
from pathlib import Path
from tempfile import TemporaryDirectory

import httpx2

from tests.hostile import bodies, connections, models, reports
from tests.hostile.entry import Entry, require_contained, try_out
from tests.hostile.served import Served

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


def main(*chosen: str) -> int:
    """Print the table, of the entries whose names hold one of these; 1 where something was not contained."""
    write(HEAD)
    write(["---"] * len(HEAD))
    failed = 0
    with TemporaryDirectory() as folder, Served(Path(folder)) as served:
        for entry in (entry for corpus in CORPORA for entry in corpus):
            if not chosen or any(part in entry.name for part in chosen):
                cells = row(served, entry)
                failed += cells[1] != "held"
                write(cells)
    return 1 if failed else 0


if __name__ == "__main__":
    sys.exit(main(*sys.argv[1:]))
