"""Networks on the service: what a command was given becomes stored graphs."""

import base64
from collections.abc import Callable, Iterable
from typing import TYPE_CHECKING, Any

from latcast.schema import InputError
from service.cli.forecast.networks import Network

if TYPE_CHECKING:
    from latcast.client import Client

__all__ = ["Uploaded", "upload_all", "upload_network"]

Uploaded = dict[str, Any] | InputError
"""The summary of a stored graph, or why the service has none."""


def upload_network(client: "Client", network: Network) -> dict[str, Any]:
    """The summary of the graph that the service stores of a network; of a hash, of what it has.

    Raises:
        InputError: the network's file, or the service, cannot read it.
        NotFoundError: it has no graph of that hash.
    """
    item = network.item
    if network.problem is not None:
        raise network.problem
    if "onnx" in item:
        return client.upload_graph(base64.b64decode(item["onnx"]), shapes=item.get("shapes"), dims=item.get("dims"))
    if "text" in item:
        return client.upload_architecture(item["space"], item["text"])
    return client.graph(item["graph"])


def upload_all(
    client: "Client", networks: Iterable[Network], on_each: Callable[[], None] = lambda: None
) -> list[Uploaded]:
    """The networks' summaries in order; one that the service cannot read is its error and spoils no other."""
    uploaded: list[Uploaded] = []
    for network in networks:
        try:
            uploaded.append(upload_network(client, network))
        except InputError as error:
            uploaded.append(error)
        on_each()
    return uploaded
