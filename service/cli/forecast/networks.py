"""Networks as people name them on the command line: files, architectures' texts, hashes."""

from pathlib import Path
from typing import Annotated, Any

import typer

from latcast.schema import InputError
from service.cli.shapes import Sizes

__all__ = ["GraphOption", "SpaceOption", "item_of", "read_model"]

SpaceOption = Annotated[str | None, typer.Option(help="Search space of the texts, for example nasbench201.")]
GraphOption = Annotated[bool, typer.Option("--graph", help="The networks are hashes of uploaded graphs.")]


def item_of(network: str, *, space: str | None, graph: bool, sizes: Sizes) -> dict[str, Any]:
    """What the service is asked about a network.

    Args:
        network: path of an ONNX file; with `space` an architecture's text; with `graph` a hash.
        space: search space of the text.
        graph: the network is named by its hash.
        sizes: what dynamic dimensions are bound to, for a file.

    Raises:
        InputError: the file cannot be read.
    """
    from latcast.items import item

    if space is not None:
        return item(space=space, text=network)
    if graph:
        return item(graph=network)
    return item(onnx=read_model(Path(network)), shapes=sizes.shapes or None, dims=sizes.dims or None)


def read_model(path: Path) -> bytes:
    """The bytes of an ONNX file.

    Raises:
        InputError: it cannot be read.
    """
    try:
        return path.read_bytes()
    except OSError as error:
        raise InputError(
            f"Cannot read {str(path)!r} ({error.strerror}). Give an ONNX file, or --space with an architecture's text."
        ) from error
