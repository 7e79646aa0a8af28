"""`latcast export`: a target's measurements in a file."""

from pathlib import Path
from typing import Annotated, Literal

import typer

from latcast.loops.target_names import find_target
from latcast.schema import InputError
from latcast.schema.counting import counted
from service.cli.common import console, open_client
from service.cli.options import DEFAULT_SERVER, JsonOption, KeyOption, ServerOption, TargetOption
from service.cli.results import check_writable, deliver
from service.cli.tables import say

__all__ = ["export"]

FORMATS: dict[str, Literal["csv", "parquet"]] = {".csv": "csv", ".parquet": "parquet"}


def export(
    out: Annotated[
        Path, typer.Argument(metavar="FILE", help="Where to: .csv for summaries, .parquet for all samples.")
    ],
    target: TargetOption = None,
    server: ServerOption = DEFAULT_SERVER,
    key: KeyOption = None,
    json_out: JsonOption = None,
) -> None:
    """Write a target's measurements into a file.

    \b
    Examples:
      latcast export measured.parquet
      latcast export measured.csv --target 'pi onnxruntime' --json -
    """
    file_format = FORMATS.get(out.suffix.lower())
    if file_format is None:
        raise InputError(f"{out.name!r} says no format: let it end in {' or '.join(FORMATS)}.")
    check_writable(str(out))
    with open_client(server, key) as client:
        registered = find_target(client.targets(), target)
        client.export(registered["id"], out, file_format=file_format)
    document = {
        "file": str(out), "format": file_format, "bytes": out.stat().st_size,
        "target": registered["id"], "device_name": registered["device_name"], "label": registered["label"],
        "measurements": registered["measurements"],
    }  # fmt: skip
    sentence = f"Wrote {counted(registered['measurements'], 'measurement')} of {registered['device_name']} to {out}."
    deliver(document, json_out, lambda: say(sentence, console))
