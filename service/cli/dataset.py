"""`latcast dataset`: the measured data set, packed and drawn."""

from pathlib import Path
from typing import Annotated

import typer

from service.cli.common import console

__all__ = ["dataset"]

dataset = typer.Typer(help="Pack measured campaigns into a data set, and draw it.", no_args_is_help=True)


@dataset.command("pack")
def pack(
    folders: Annotated[list[Path], typer.Argument(metavar="DIR…", help="Folders of campaigns.")],
    out: Annotated[
        Path | None, typer.Option(metavar="DIR", help="Where to write [default: the first campaign's folder]")
    ] = None,
    recheck: Annotated[
        bool, typer.Option("--recheck", help="Build every graph again, because a generator has changed.")
    ] = False,
) -> None:
    """Write the rows, the targets and a datasheet.

    \b
    Example:
      latcast dataset pack campaign --out data
    """
    from predictors.measured import pack

    where = out or folders[0]
    rows = pack(folders, where, recheck=recheck)
    size = sum(path.stat().st_size for path in where.glob("*.parquet"))
    stale = sum(row.stale for row in rows)
    console.print(f"{len(rows):,} rows, {size / 1e6:.1f} MB in {where}; {stale} of them are stale.")
