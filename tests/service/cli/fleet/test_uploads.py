"""What a command was given becomes graphs of the service."""

from collections.abc import Callable

import pytest

from latcast import item
from latcast.errors import BodyTooLargeError, NotFoundError
from latcast.schema import InputError, InvalidModelError, UnboundDimensionError
from service.cli.fleet.uploads import upload_all, upload_network
from service.cli.forecast.networks import Network
from tests.service.helpers import CELL, World, model


def test_files_texts_and_hashes_become_graphs(world: World) -> None:
    file = Network(name="m", item=item(onnx=model(batch="n"), dims={"n": 1}))
    text = Network(name="t", item=item(space="nasbench201", text=CELL))
    first = upload_network(world.client, file)
    assert first["hash"] == world.client.upload_graph(model(batch="n"), shapes={"x": (1, 8)})["hash"]
    assert upload_network(world.client, text)["nodes"] > 1
    for name in (first["hash"], first["hash"][:13]):
        assert upload_network(world.client, Network(name="g", item=item(graph=name)))["hash"] == first["hash"]


def test_one_that_cannot_be_read_spoils_no_other(make_world: Callable[..., World]) -> None:
    world = make_world(max_model_bytes=10_000)
    asked = [
        Network(name="bad", item=item(onnx=b"no model")),
        Network(name="open", item=item(onnx=model(batch="n"))),
        Network(name="good", item=item(onnx=model())),
    ]
    asked.append(Network(name="gone", item={}, problem=InputError("Cannot read it.")))
    asked.append(Network(name="unknown", item=item(graph="g1-00000000")))
    asked.append(Network(name="large", item=item(onnx=model() + bytes(world.settings.max_model_bytes))))
    seen: list[int] = []
    bad, unbound, good, gone, unknown, large = upload_all(world.client, asked, lambda: seen.append(1))
    assert isinstance(bad, InvalidModelError)
    assert isinstance(unbound, UnboundDimensionError)
    assert isinstance(good, dict)
    assert str(gone) == "Cannot read it."
    assert isinstance(unknown, NotFoundError)
    assert isinstance(large, BodyTooLargeError)
    assert len(seen) == 6
    with pytest.raises(InvalidModelError):
        upload_network(world.client, asked[0])
