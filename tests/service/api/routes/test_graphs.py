"""Uploads: what is a model is stored once, what is none is refused with a sentence."""

import gzip
from collections.abc import Callable
from pathlib import Path

import onnx
import pytest
from fastapi.testclient import TestClient
from onnx import TensorProto, helper

from latcast.errors import NotFoundError
from latcast.schema import InputError
from profilers.onnx_graph import Limits, load_graph
from service.api import schemas
from service.app import create_app
from service.settings import Settings
from tests.service.helpers import CELL, FakeForecaster, World, model


def test_graph_is_stored_without_weights_and_under_its_hash(world: World) -> None:
    graph = world.client.upload_graph(model(300))
    assert graph["hash"] == load_graph(model(300)).hash
    assert graph["operators"] == {"MatMul": 1}
    assert graph["macs"] == 8 * 300
    assert graph["parameter_bytes"] == 4 * 8 * 300
    assert graph["arithmetic_intensity"] > 0
    assert graph["inputs"][0]["shape"] == [1, 8]
    stored = world.client.model(graph["hash"])
    assert len(stored) < len(model(300)) / 2
    assert load_graph(stored).hash == graph["hash"]
    assert world.client.upload_graph(model(300)) == graph == world.client.graph(graph["hash"])


def test_dynamic_shapes_are_bound_before_hashing(world: World) -> None:
    dynamic = model(4, batch="batch")
    with pytest.raises(InputError, match=r"x\[0\] \(batch\)"):
        world.client.upload_graph(dynamic)
    bound = world.client.upload_graph(dynamic, shapes={"x": [2, 8]})
    assert bound["hash"] == load_graph(model(4, batch=2)).hash
    assert load_graph(world.client.model(bound["hash"])).hash == bound["hash"]
    with pytest.raises(InputError):
        world.client.upload_graph(dynamic, shapes={"y": [2, 8]})


@pytest.mark.parametrize("shapes", ["{", "[]", '{"x": 3}', '{"x": [-1]}', '{"x": ["a"]}', "[" * 9000])
def test_shapes_that_are_none(world: World, shapes: str) -> None:
    headers = {"content-type": "application/octet-stream"}
    response = world.http.post("/v1/graphs", params={"shapes": shapes}, content=model(), headers=headers)
    assert response.status_code == 422


def test_architecture_is_stored_with_its_text(world: World) -> None:
    graph = world.client.upload_architecture("nasbench201", CELL)
    assert graph["architecture"] == {"space": "nasbench201", "text": CELL}
    assert graph == world.client.upload_architecture("nasbench201", CELL)
    with pytest.raises(InputError, match="Unknown search space"):
        world.client.upload_architecture("nasbench2O1", CELL)
    with pytest.raises(InputError):
        world.client.upload_architecture("nasbench201", "|nor_conv_3x3~0|")


def _external() -> bytes:
    proto = onnx.load_from_string(model())
    weights = proto.graph.initializer[0]
    weights.ClearField("float_data")
    weights.data_location = TensorProto.EXTERNAL
    for key, value in (("location", "../../etc/passwd"), ("length", "10")):
        entry = weights.external_data.add()
        entry.key, entry.value = key, value
    return bytes(proto.SerializeToString())


def _constant_of_shape() -> bytes:
    size = helper.make_tensor("s", TensorProto.INT64, [1], [2**40])
    node = helper.make_node("ConstantOfShape", ["s"], ["y"])
    out = helper.make_tensor_value_info("y", TensorProto.FLOAT, None)
    graph = helper.make_graph([node], "g", [], [out], [size])
    return bytes(helper.make_model(graph, opset_imports=[helper.make_opsetid("", 17)]).SerializeToString())


def _foreign_domain() -> bytes:
    proto = onnx.load_from_string(model())
    proto.graph.node[0].domain = "evil.example"
    proto.opset_import.append(helper.make_opsetid("evil.example", 1))
    return bytes(proto.SerializeToString())


def _cycle() -> bytes:
    proto = onnx.load_from_string(model())
    proto.graph.node[0].input[0] = "y"
    return bytes(proto.SerializeToString())


HOSTILE: dict[str, Callable[[], bytes]] = {
    "empty": lambda: b"",
    "text": lambda: b"hello",
    "truncated": lambda: model()[:-20],
    "external data": _external,
    "a size that lies": _constant_of_shape,
    "unknown domain": _foreign_domain,
    "cycle": _cycle,
}


@pytest.mark.parametrize("name", HOSTILE)
def test_hostile_model_is_refused_with_a_sentence(world: World, name: str) -> None:
    headers = {"content-type": "application/octet-stream"}
    response = world.http.post("/v1/graphs", content=HOSTILE[name](), headers=headers)
    assert 400 <= response.status_code < 500
    assert response.headers["content-type"] == "application/problem+json"
    assert response.json()["detail"].endswith(".")
    assert world.http.get("/healthz").status_code == 200


def test_hostile_models_are_read_in_limited_processes(new_sqlite: str, tmp_path: Path) -> None:
    settings = Settings(database_url=new_sqlite, data_dir=tmp_path, log_level="error")
    headers = {"content-type": "application/octet-stream"}
    with TestClient(create_app(settings, forecaster=FakeForecaster())) as http:
        for make in HOSTILE.values():
            response = http.post("/v1/graphs", content=make(), headers=headers)
            assert 400 <= response.status_code < 500
        stored = http.post("/v1/graphs", content=model(), headers=headers)
        assert stored.status_code == 201
        assert stored.json()["hash"] == load_graph(model()).hash


@pytest.mark.parametrize(
    "kind", ["application/octet-stream", "application/json", "application/x-www-form-urlencoded", ""]
)
def test_a_model_is_one_whatever_it_says_to_be(world: World, kind: str) -> None:
    headers = {"content-type": kind} if kind else {}
    assert world.http.post("/v1/graphs", content=model(), headers=headers).status_code == 201


FORM = b'--b\r\nContent-Disposition: form-data; name="file"\r\n\r\n' + model() + b"\r\n--b--\r\n"


@pytest.mark.parametrize(
    ("body", "kind", "status", "says"),
    [
        (model(), "text/plain", 415, "--data-binary"),  # what any page may send
        (FORM, "multipart/form-data; boundary=b", 415, "--data-binary"),
        (FORM, "application/octet-stream", 422, "--data-binary"),
        (gzip.compress(model(), mtime=0), "application/octet-stream", 422, "packed with gzip"),
        (b"PK\x03\x04rest", "application/octet-stream", 422, "ZIP archive"),
        (b' {"onnx": "..."}', "application/json", 422, "POST /predict"),
        (model()[:50], "application/x-www-form-urlencoded", 422, "drops line ends"),
    ],
)
def test_what_is_sent_in_place_of_a_model_is_named(
    world: World, body: bytes, kind: str, status: int, says: str
) -> None:
    response = world.http.post("/v1/graphs", content=body, headers={"content-type": kind})
    assert response.status_code == status
    assert says in response.json()["detail"]


def test_unknown_graph(world: World) -> None:
    with pytest.raises(NotFoundError, match="upload its model"):
        world.client.model("g1-none")


def test_nodes_are_what_there_is_to_draw(world: World) -> None:
    graph = world.graph(5)
    response = world.http.get(f"/v1/graphs/{graph}/nodes")
    assert schemas.NodesOut.model_validate_json(response.content).hash == graph
    (node,) = response.json()["nodes"]
    assert (node["operator"], node["inputs"], node["shape"], node["dtype"]) == ("MatMul", [], [1, 5], "float32")
    assert node["flops"] == 2 * 8 * 5
    assert (node["input_bytes"], node["output_bytes"]) == (32, 20)
    assert "immutable" in response.headers["cache-control"]
    assert world.http.get("/v1/graphs/g1-none/nodes").status_code == 404


def test_names_of_inputs_may_be_as_long_as_in_models(world: World) -> None:
    """TensorFlow's paths of scopes, as names of inputs and symbols, are longer than other names may be."""
    longest = Limits().name_bytes // 4
    proto = onnx.load_from_string(model(4, batch="batch"))
    for info in proto.graph.input:
        info.name = "i" * longest
        info.type.tensor_type.shape.dim[0].dim_param = "s" * longest
    for node in proto.graph.node:
        node.input[0] = "i" * longest
    content = proto.SerializeToString()
    by_shape = world.client.upload_graph(content, shapes={"i" * longest: [2, 8]})
    by_symbol = world.client.upload_graph(content, dims={"s" * longest: 2})
    assert by_shape["hash"] == by_symbol["hash"]
