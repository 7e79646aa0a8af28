"""`latcast db`: the service's database is backed up, restored, upgraded and looked through, where it is."""

from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from latcast.schema.counting import counted
from service.cli.groups import Group
from service.cli.options import JsonOption
from service.cli.own_database import open_engine
from service.cli.results import deliver
from service.cli.tables import Column, echo, numbers, output, print_table, say

if TYPE_CHECKING:
    from service.db.integrity import Findings

__all__ = ["db"]

db = typer.Typer(
    cls=Group,
    help="Back up, restore, upgrade and check the service's database. Works on it directly, with the settings of "
    "`latcast serve`.",
    no_args_is_help=True,
)


@db.command("backup")
def backup(
    out: Annotated[Path, typer.Argument(metavar="OUT", help="File of the copy, which is not there yet.")],
    json_out: JsonOption = None,
) -> None:
    """Copy the database into a file while the service uses it; SQLite and PostgreSQL alike.

    The copy is one file of SQLite, its owner's alone, of one moment. Keep it where the database is not.

    \b
    Example:
      latcast db backup /backups/latcast-2026-11-29.db
    """
    from service.db.backup import back_up

    with open_engine() as engine:
        back_up(engine, out)
    size = out.stat().st_size
    deliver({"file": str(out), "bytes": size}, json_out, lambda: echo(f"{out}: {counted(size, 'byte')}."))


@db.command("restore")
def restore(
    copy: Annotated[Path, typer.Argument(metavar="COPY", help="A file by `latcast db backup`, or a latcast.db.")],
    json_out: JsonOption = None,
) -> None:
    """Put a copy into a database that is empty, of either kind; a copy of an earlier version is upgraded on the way.

    So a service moves from SQLite to PostgreSQL and back, too. The database is that of the settings, which has to be
    empty or not there; the copy stays as it is.

    \b
    Examples:
      LATCAST_DATA_DIR=/var/lib/latcast latcast db restore /backups/latcast.db
      LATCAST_DATABASE_URL=postgresql://latcast@db/latcast \\
        latcast db restore latcast-data/latcast.db
    """
    from service.db.backup import restore as put_back

    with open_engine() as engine:
        rows = put_back(copy, engine)
    total = sum(rows.values())
    deliver(
        {"rows": rows}, json_out, lambda: echo(f"{counted(total, 'row')} of {counted(len(rows), 'table')} are back.")
    )


@db.command("upgrade")
def upgrade(json_out: JsonOption = None) -> None:
    """Bring the database to the newest revision, as `latcast serve` does when it starts. Make a backup first.

    \b
    Example:
      latcast db backup before.db && latcast db upgrade
    """
    from service.db.copying import set_sequences
    from service.db.migrate import current_revision
    from service.db.migrate import upgrade as migrate
    from service.db.session import READ_ONLY

    with open_engine() as engine:
        with engine.connect().execution_options(**{READ_ONLY: True}) as connection:
            before = current_revision(connection)
        migrate(engine)
        with engine.begin() as connection:
            set_sequences(connection)
            after = current_revision(connection)
    said = f"It is at revision {after} already." if before == after else f"Revision {before or 'none'} → {after}."
    deliver({"before": before, "after": after}, json_out, lambda: echo(said))


@db.command("check")
def check(
    copy: Annotated[
        Path | None, typer.Argument(metavar="[COPY]", help="A copy to look at; the service's database by default.")
    ] = None,
    json_out: JsonOption = None,
) -> None:
    """Read the whole database and say what is wrong with it: exit code 1 where something is.

    Looks at the file, references between rows, counters, digests of artifacts, and whether graphs can be unpacked.

    \b
    Examples:
      latcast db check
      latcast db check /backups/latcast-2026-11-29.db
    """
    from latcast.schema import to_plain

    found = _look(copy)
    deliver(to_plain(found), json_out, lambda: _show(found))
    if found.problems:
        raise typer.Exit(1)


@db.command("prune")
def prune(
    hidden_days: Annotated[
        float | None,
        typer.Option(min=0.0, metavar="DAYS", help="Delete what has been hidden for so many days; 0 is all of it."),
    ] = None,
    samples_days: Annotated[
        float | None,
        typer.Option(
            min=0.0, metavar="DAYS", help="Keep of older measurements the summary alone, in place of their samples."
        ),
    ] = None,
    dry_run: Annotated[bool, typer.Option("--dry-run", help="Count, and change nothing.")] = False,
    json_out: JsonOption = None,
) -> None:
    """Delete what was hidden long enough, and the samples of old measurements; their summaries stay.

    Deletes devices with their targets, jobs and agents, graphs and single measurements that were hidden (`latcast fleet
    hide`, `latcast measurements hide`). Works while the service runs. Nothing brings back what was deleted: make a
    backup first. A file of SQLite keeps its size, and fills the room with what comes.

    \b
    Examples:
      latcast db prune --hidden-days 30 --dry-run
      latcast db prune --samples-days 365
    """
    import time

    from latcast.schema import InputError, to_plain
    from service.curation.pruning import prune as throw_away
    from service.db.migrate import upgrade as migrate
    from service.db.session import Database

    if hidden_days is None and samples_days is None:
        raise InputError("Say what may go: --hidden-days DAYS, --samples-days DAYS, or both.")
    before = [None if days is None else time.time() - days * 86_400 for days in (hidden_days, samples_days)]
    with open_engine() as engine:
        migrate(engine)
        done = throw_away(
            Database(engine), hidden_before_unix_s=before[0], samples_before_unix_s=before[1], dry_run=dry_run
        )
    rows = [(name, f"{count:,}") for name, count in done.rows.items() if count]
    rows += [("samples of measurements", f"{done.samples:,}")] if done.samples else []
    would = "would be deleted" if dry_run else "deleted"
    deliver(to_plain(done), json_out, lambda: _show_pruned(rows, would))


def _show_pruned(rows: "list[tuple[str, str]]", would: str) -> None:
    if rows:
        print_table([Column("rows of"), numbers(would)], rows, out=output())
    else:
        echo("There is nothing to delete.")


def _show(found: "Findings") -> None:
    columns, rows = [Column("table"), numbers("rows")], [(name, f"{n:,}") for name, n in sorted(found.rows.items())]
    out = output()
    print_table(columns, rows, out=out)
    say(
        f"Revision {found.revision or 'none'}; "
        f"{counted(len(found.problems), 'problem') if found.problems else 'no problems'}.",
        out,
    )
    for problem in found.problems:
        say(problem, out)


def _look(copy: Path | None) -> "Findings":
    from sqlalchemy.exc import DatabaseError

    from latcast.schema import InputError
    from service.db.backup import reading_engine
    from service.db.integrity import look
    from service.db.session import READ_ONLY

    if copy is None:
        with open_engine() as engine, engine.connect().execution_options(**{READ_ONLY: True}) as connection:
            return look(connection)
    engine = reading_engine(copy)
    try:
        with engine.connect() as connection:
            return look(connection)
    except DatabaseError as error:
        raise InputError(f"{copy} is no database of latcast, or a damaged one.") from error
    finally:
        engine.dispose()
