"""`latcast upload`: store networks on the service."""

from collections.abc import Sequence
from typing import Annotated, Any

import typer

from latcast.schema import LatcastError
from service.cli.common import open_client
from service.cli.fleet.uploads import Uploaded, upload_all
from service.cli.forecast.network_files import networks_of
from service.cli.forecast.networks import Network
from service.cli.options import (
    DEFAULT_SERVER,
    DimOption,
    FileOption,
    InputOption,
    JsonOption,
    KeyOption,
    ServerOption,
    ShapeOption,
    SpaceOption,
)
from service.cli.remarks import say_remarks
from service.cli.results import deliver, fail_each
from service.cli.shapes import parse_curve
from service.cli.tables import Column, names, numbers, output, print_table, prose
from service.cli.units import macs, parameters

__all__ = ["upload"]


def upload(
    networks: Annotated[
        list[str] | None,
        typer.Argument(
            metavar="NETWORK", help="ONNX files, or torch modules (net.py:Net); with --space, architecture texts."
        ),
    ] = None,
    file: FileOption = None,
    space: SpaceOption = None,
    shape: ShapeOption = None,
    dim: DimOption = None,
    input_shape: InputOption = None,
    server: ServerOption = DEFAULT_SERVER,
    key: KeyOption = None,
    json_out: JsonOption = None,
) -> None:
    """Store networks on the service and print their hashes, by which every other command can name them (--graph).

    The first 8 hexadecimal digits of a hash do, or as many as tell it apart. Through a pipe and in --json it is whole.

    Weights are not kept: the same network twice is one graph. Exits with 1 when one could not be read.

    \b
    Examples:
      latcast upload model.onnx --shape x=1,3,224,224
      latcast upload encoder.onnx --dim batch=1,8 --dim seq=128
      latcast predict --graph g1-1c0ffee23a
    """
    asked = networks_of(
        networks or [], file, space=space, graph=False, curve=parse_curve(shape, dim), inputs=input_shape or []
    )
    with open_client(server, key) as client:
        uploaded = upload_all(client, asked)
    items = [{**network.described(), **_plain(graph)} for network, graph in zip(asked, uploaded, strict=True)]
    deliver(items, json_out, lambda: _print(asked, uploaded))
    fail_each((one.label, str(graph)) for one, graph in zip(asked, uploaded, strict=True)
              if isinstance(graph, LatcastError))  # fmt: skip


def _print(asked: Sequence[Network], uploaded: Sequence[Uploaded]) -> None:
    columns = [names("network"), Column("graph"), numbers("nodes"), numbers("MACs"), prose("parameters")]
    rows = [_row(network, graph) for network, graph in zip(asked, uploaded, strict=True)]
    out = output()
    print_table(columns, rows, out=out)
    remarks = [_plain(graph).get("remarks", ()) for graph in uploaded]
    say_remarks(zip((one.name for one in asked), remarks, strict=True), out)


def _plain(graph: Uploaded) -> dict[str, Any]:
    return {"error": {"detail": str(graph)}} if isinstance(graph, LatcastError) else graph


def _row(network: Network, graph: Uploaded) -> tuple[str, ...]:
    if isinstance(graph, LatcastError):
        return network.label, "error", "", "", ""
    work = macs(graph["macs"], graph.get("unknown_macs_nodes", 0))
    held = parameters(graph.get("parameters", {}), graph["parameter_bytes"])
    return network.label, graph["hash"], f"{graph['nodes']:,}", work, held
