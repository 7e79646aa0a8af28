"""Networks as people name them on the command line: files, architectures' texts, hashes."""

import base64
import glob
import os
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

from latcast.errors import BodyTooLargeError
from latcast.onnx_files import without_weights
from latcast.schema import LatcastError
from service.cli.shapes import Sizes

if TYPE_CHECKING:
    from latcast.client import Client

__all__ = ["NO_SIZES", "ModelFile", "Network", "expanded", "network_of", "predict_all"]

NO_SIZES = Sizes(shapes={}, dims={})
ITEMS_OF_CALL = 500
BYTES_OF_CALL = 32 * 2**20
"""Items of one call, and base64 bytes of their models: more are asked about in several calls."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Network:
    """A network that the service is asked about.

    Args:
        name: for people: its file, text or hash, or what a list calls it.
        item: what the service is asked, made by `latcast.item`.
        sizes: what its dynamic dimensions are bound to.
        problem: why its file or module cannot be read; the item is empty then.
    """

    name: str
    item: Mapping[str, Any]
    sizes: Sizes = NO_SIZES
    problem: LatcastError | None = None

    @property
    def label(self) -> str:
        """The name, with the sizes of symbols that a curve varies."""
        return f"{self.name} ({self.sizes.label})" if self.sizes.label else self.name

    @property
    def model(self) -> bytes | None:
        """The ONNX model that it is, without its weights; None for texts and hashes."""
        return base64.b64decode(self.item["onnx"]) if "onnx" in self.item else None

    def described(self) -> dict[str, Any]:
        """The members by which JSON names it."""
        return {"network": self.name, **({"dims": dict(self.sizes.dims)} if self.sizes.dims else {})}


@dataclass(frozen=True, slots=True, kw_only=True)
class ModelFile:
    """An ONNX file whose sizes are still to be bound.

    Args:
        name: for people.
        onnx: the model without its weights.
        sizes: those that a list binds it to; empty where the command's count.
    """

    name: str
    onnx: bytes
    sizes: Sequence[Sizes] = ()

    def at(self, points: Sequence[Sizes]) -> list[Network]:
        """The network at each of these sizes."""
        return [Network(name=self.name, item=_onnx_item(self.onnx, sizes), sizes=sizes) for sizes in points]


def expanded(names: Sequence[str]) -> list[str]:
    """The names, with the files that fit in place of a pattern (`models/*.onnx`), which no shell has expanded."""
    found: list[str] = []
    for name in names:
        is_pattern = glob.has_magic(name) and not os.path.lexists(name)
        found += (sorted(glob.glob(name, recursive=True)) if is_pattern else []) or [name]
    return found


def network_of(name: str, *, space: str | None, graph: bool) -> Network | ModelFile:
    """What a name on the command line means.

    Args:
        name: path of an ONNX file; with `space` an architecture's text; with `graph` a hash or its beginning.
        space: search space of the text.
        graph: the network is named by its hash.

    Raises:
        InputError: the file, or what lies beside it, cannot be read.
    """
    from latcast.items import item

    if space is None and not graph:
        return ModelFile(name=name, onnx=without_weights(Path(name)))
    return Network(name=name, item=item(graph=name) if space is None else item(space=space, text=name))


def _onnx_item(onnx: bytes, sizes: Sizes) -> dict[str, Any]:
    from latcast.items import item

    return item(onnx=onnx, shapes=sizes.shapes or None, dims=sizes.dims or None)


def predict_all(
    client: "Client",
    target: str,
    networks: Sequence[Network],
    *,
    level: float,
    predictor: str | None = None,
    on_answers: Callable[[int], None] = lambda _: None,
) -> list[dict[str, Any]]:
    """Forecasts in the order of the networks, asked for in as many calls as the service's limits need.

    One whose file cannot be read, or is larger than the service takes, has an `error`, as one that the service cannot
    answer.

    Args:
        client: of the service.
        target: id of the target.
        networks: what to forecast.
        level: probability that an interval holds.
        predictor: who answers; the service chooses where left out.
        on_answers: is told how many answers came.
    """
    answers: list[dict[str, Any]] = []
    readable = [network for network in networks if network.problem is None]
    if unread := len(networks) - len(readable):
        on_answers(unread)
    pinned = {} if predictor is None else {"predictor": predictor}
    for part in _calls(readable) if readable else []:
        answers += _asked(client, target, part, {"level": level, **pinned})
        on_answers(len(part))
    came = iter(answers)
    return [{"error": {"detail": str(one.problem)}} if one.problem else next(came) for one in networks]


def _asked(
    client: "Client", target: str, networks: Sequence[Network], options: Mapping[str, Any]
) -> list[dict[str, Any]]:
    """The answers of one call; where it is larger than the service takes, those of each half."""
    try:
        return client.predict(target, [network.item for network in networks], **options)
    except BodyTooLargeError as error:
        if len(networks) == 1:
            return [{"error": {"detail": str(error)}}]
    middle = len(networks) // 2
    parts = (networks[:middle], networks[middle:])
    return [answer for part in parts for answer in _asked(client, target, part, options)]


def _calls(networks: Sequence[Network]) -> list[list[Network]]:
    calls: list[list[Network]] = [[]]
    size = 0
    for network in networks:
        taken = len(network.item.get("onnx", ""))
        if calls[-1] and (len(calls[-1]) >= ITEMS_OF_CALL or size + taken > BYTES_OF_CALL):
            calls.append([])
            size = 0
        calls[-1].append(network)
        size += taken
    return calls
