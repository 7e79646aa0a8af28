"""Networks on the service: what a command was given becomes stored graphs."""

from collections.abc import Callable, Iterable
from typing import TYPE_CHECKING, Any

from latcast.errors import BodyTooLargeError, NotFoundError
from latcast.schema import InputError, LatcastError
from service.cli.forecast.networks import Network

if TYPE_CHECKING:
    from latcast.client import Client

__all__ = ["Uploaded", "upload_all", "upload_network"]

Uploaded = dict[str, Any] | LatcastError
"""The summary of a stored graph, or why the service has none."""
OWN_ERRORS = (InputError, NotFoundError, BodyTooLargeError)
"""Refusals that are of one network, and say nothing of others."""


def upload_network(client: "Client", network: Network) -> dict[str, Any]:
    """The summary of the graph that the service stores of a network; of a hash, of what it has.

    Raises:
        InputError: the network's file, or the service, cannot read it; a hash's beginning is that of several.
        NotFoundError: it has no graph of that hash.
        BodyTooLargeError: the model is larger than it takes.
    """
    item = network.item
    if network.problem is not None:
        raise network.problem
    if (model := network.model) is not None:
        return client.upload_graph(model, shapes=item.get("shapes"), dims=item.get("dims"))
    if "text" in item:
        return client.upload_architecture(item["space"], item["text"])
    return client.graph(item["graph"])


def upload_all(
    client: "Client", networks: Iterable[Network], on_each: Callable[[], None] = lambda: None
) -> list[Uploaded]:
    """The networks' summaries in order; one that cannot be read, or the service refuses, is its error alone."""
    uploaded: list[Uploaded] = []
    for network in networks:
        try:
            uploaded.append(network.problem or upload_network(client, network))
        except OWN_ERRORS as error:
            uploaded.append(error)
        on_each()
    return uploaded
