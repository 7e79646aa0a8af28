"""Models are read in one piece wherever their weights lie, and lose weights before they are sent, never their hash."""

import os
import tracemalloc
import warnings
from functools import cache
from pathlib import Path

import numpy as np
import onnx
import pytest
from hypothesis import given, settings
from onnx import ModelProto, TensorProto, helper, numpy_helper
from onnx.backend.test.case.node import collect_testcases

from latcast import item
from latcast.onnx_files import read_model, without_weights
from latcast.schema import InputError, InvalidModelError, ModelLimitError
from profilers.onnx_graph import load_graph, strip_weights
from tests.strategies import onnx_protos

WEIGHTS = np.arange(12, dtype=np.float32).reshape(4, 3)
F = TensorProto.FLOAT


def model(weights: np.ndarray | TensorProto = WEIGHTS, *, outputs: int = 3) -> ModelProto:
    """y = reshape(x · w, [-1])."""
    tensor = weights if isinstance(weights, TensorProto) else numpy_helper.from_array(weights, "w")
    nodes = [helper.make_node("MatMul", ["x", "w"], ["h"]), helper.make_node("Reshape", ["h", "s"], ["y"])]
    graph = helper.make_graph(
        nodes, "g", [helper.make_tensor_value_info("x", F, [2, tensor.dims[0]])],
        [helper.make_tensor_value_info("y", F, [2 * outputs])],
        [tensor, numpy_helper.from_array(np.array([-1]), "s")],
    )  # fmt: skip
    return helper.make_model(graph, opset_imports=[helper.make_opsetid("", 17)], ir_version=9)


def outside(proto: ModelProto, location: str, *, tensors: int = 1, **more: object) -> bytes:
    """The model whose first constants say that they lie in a file."""
    for tensor in proto.graph.initializer[:tensors]:
        tensor.ClearField("raw_data")
        tensor.data_location = TensorProto.EXTERNAL
        for key, value in {"location": location, **more}.items():
            tensor.external_data.add(key=key, value=str(value))
    return proto.SerializeToString()


@settings(max_examples=40, deadline=None)
@given(onnx_protos())
def test_the_graph_is_the_same_without_weights(proto: ModelProto) -> None:
    content = proto.SerializeToString()
    stripped = without_weights(content)
    before, after = load_graph(content), load_graph(stripped)
    assert (after.hash, after.nodes) == (before.hash, before.nodes)
    assert strip_weights(stripped) == strip_weights(content)


@cache
def _standard() -> list[bytes]:
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        return [case.model.SerializeToString() for case in collect_testcases(None) if case.model is not None]


@pytest.mark.slow
def test_operators_of_the_standard_keep_their_hash() -> None:
    compared = 0
    for content in _standard()[::5]:
        try:
            graph = load_graph(content)
        except InputError:
            continue
        compared += 1
        stripped = without_weights(content)
        assert (load_graph(stripped).hash, strip_weights(stripped)) == (graph.hash, strip_weights(content))
    assert compared > 250


def test_weights_beside_the_model_need_not_be_read_but_be_there(tmp_path: Path) -> None:
    wide = np.arange(32, dtype=np.float32).reshape(4, 8)
    inside, file = model(wide, outputs=8).SerializeToString(), tmp_path / "sub" / "m.onnx"
    file.parent.mkdir()
    file.write_bytes(outside(model(wide, outputs=8), "w.bin", offset=4, length=128))
    with pytest.raises(InvalidModelError, match=r"'w\.bin' beside the model, which cannot be read"):
        read_model(file)
    (file.parent / "w.bin").write_bytes(b"head" + wide.tobytes()[:-1])
    with pytest.raises(InvalidModelError, match="has 131 bytes, too few"):
        read_model(file)
    (file.parent / "w.bin").write_bytes(b"head" + wide.tobytes() + b"tail")
    assert load_graph(read_model(file)).hash == load_graph(inside).hash
    assert load_graph(read_model(file)).macs == 64
    assert load_graph(read_model(file, weights=True)).hash == load_graph(inside).hash
    whole = onnx.load_from_string(read_model(file, weights=True))
    np.testing.assert_array_equal(numpy_helper.to_array(whole.graph.initializer[0]), wide)


def test_values_that_matter_are_taken_in(tmp_path: Path) -> None:
    proto = model()
    del proto.graph.initializer[0]
    proto.graph.initializer.append(numpy_helper.from_array(WEIGHTS, "w"))
    (tmp_path / "m.onnx").write_bytes(outside(proto, "s.bin"))
    (tmp_path / "s.bin").write_bytes(np.array([-1]).tobytes())
    assert load_graph(read_model(tmp_path / "m.onnx")).hash == load_graph(model().SerializeToString()).hash
    with pytest.raises(InvalidModelError, match="give the model's path"):
        without_weights((tmp_path / "m.onnx").read_bytes())


@pytest.mark.parametrize("location", ["../w.bin", "/etc/hostname", "a/../../w.bin", "link", "", "a\0b", "."])
@pytest.mark.parametrize("weights", [False, True])
def test_data_elsewhere_are_refused(tmp_path: Path, location: str, weights: bool) -> None:
    home = tmp_path / "home"
    home.mkdir()
    wide = np.zeros((4, 8), np.float32)
    (tmp_path / "w.bin").write_bytes(wide.tobytes())
    os.symlink(tmp_path / "w.bin", home / "link")
    (home / "m.onnx").write_bytes(outside(model(wide), location))
    with pytest.raises(InvalidModelError, match="folder"):
        read_model(home / "m.onnx", weights=weights)


def test_a_model_that_is_a_link_has_its_data_where_the_link_leads(tmp_path: Path) -> None:
    """Download caches keep files under other names and links to them in the folder that people see."""
    blobs, seen = tmp_path / "blobs", tmp_path / "seen"
    blobs.mkdir()
    seen.mkdir()
    (blobs / "1").write_bytes(outside(model(), "m.data"))
    (blobs / "2").write_bytes(WEIGHTS.tobytes())
    os.symlink(blobs / "1", seen / "m.onnx")
    os.symlink(blobs / "2", seen / "m.data")
    assert load_graph(read_model(seen / "m.onnx")).macs == 24


@pytest.mark.parametrize(
    ("more", "words"),
    [
        ({"length": 10**9}, "needs 128"),
        ({"offset": 100}, "too few"),
        ({"length": "-1"}, "no number"),
        ({"offset": "9" * 30}, "no number"),
    ],
)
def test_lying_sizes_are_refused(tmp_path: Path, more: dict[str, object], words: str) -> None:
    wide = np.zeros((4, 8), np.float32)
    (tmp_path / "w.bin").write_bytes(wide.tobytes())
    (tmp_path / "m.onnx").write_bytes(outside(model(wide), "w.bin", **more))
    with pytest.raises(InvalidModelError, match=words):
        read_model(tmp_path / "m.onnx")


def test_seven_gigabytes_beside_a_model_are_never_read(tmp_path: Path) -> None:
    size = 7 * 10**9
    tensors = [TensorProto(name=name, data_type=F, dims=[1000, size // 16_000]) for name in "abcd"]
    nodes = [helper.make_node("MatMul", ["x", name], [f"y_{name}"]) for name in "abcd"]
    outputs = [helper.make_tensor_value_info(f"y_{name}", F, None) for name in "abcd"]
    graph = helper.make_graph(nodes, "g", [helper.make_tensor_value_info("x", F, [1, 1000])], outputs, tensors)
    proto = helper.make_model(graph, opset_imports=[helper.make_opsetid("", 17)], ir_version=9)
    for at, tensor in enumerate(proto.graph.initializer):
        tensor.data_location = TensorProto.EXTERNAL
        for key, value in {"location": "w.bin", "offset": at * size // 4, "length": size // 4}.items():
            tensor.external_data.add(key=key, value=str(value))
    (tmp_path / "m.onnx").write_bytes(proto.SerializeToString())
    with (tmp_path / "w.bin").open("wb") as file:
        file.truncate(size)
    tracemalloc.start()
    stripped = item(onnx=tmp_path / "m.onnx")["onnx"]
    assert tracemalloc.get_traced_memory()[1] < 2**20
    tracemalloc.stop()
    assert len(stripped) < 2000
    loaded = load_graph(read_model(tmp_path / "m.onnx"))
    assert (loaded.macs, loaded.parameter_bytes) == (size // 4, size)
    with pytest.raises(ModelLimitError, match="model_bytes"):
        read_model(tmp_path / "m.onnx", weights=True)


def test_a_large_file_is_passed_over_in_pieces(tmp_path: Path) -> None:
    weights = np.ones((1024, 8192), np.float32)
    path = tmp_path / "m.onnx"
    path.write_bytes(model(weights, outputs=8192).SerializeToString())
    tracemalloc.start()
    stripped = read_model(path)
    assert tracemalloc.get_traced_memory()[1] < 2**20
    tracemalloc.stop()
    assert len(stripped) < 1000
    assert load_graph(stripped).hash == load_graph(path.read_bytes()).hash


@pytest.mark.parametrize("beside", [True, False])
def test_weights_are_in_memory_once(tmp_path: Path, beside: bool) -> None:
    proto = model(np.ones((1024, 8192), np.float32), outputs=8192)
    size = proto.ByteSize()
    if beside:
        (tmp_path / "w.bin").write_bytes(proto.graph.initializer[0].raw_data)
        (tmp_path / "m.onnx").write_bytes(outside(proto, "w.bin"))
    else:
        (tmp_path / "m.onnx").write_bytes(proto.SerializeToString())
    bound = read_model(tmp_path / "m.onnx")
    for declared in (None, bound):
        tracemalloc.start()
        whole = read_model(tmp_path / "m.onnx", weights=True, declared=declared)
        assert tracemalloc.get_traced_memory()[1] < 1.2 * size + 4 * 2**20
        tracemalloc.stop()
        assert numpy_helper.to_array(ModelProto.FromString(whole).graph.initializer[0]).sum() == 1024 * 8192


def test_denormal_weights_are_left_out_as_others_are() -> None:
    content = model(np.full((4, 8), 1e-40, np.float32), outputs=8).SerializeToString()
    assert without_weights(content) == without_weights(
        model(np.ones((4, 8), np.float32), outputs=8).SerializeToString()
    )


@pytest.mark.parametrize("content", [b"", b"nonsense", b"\x3a\xff\xff\xff\xff\x0f", b"\0" * 40, b"\x1f\x8b\x08\0"])
def test_what_is_no_model_comes_back_as_it_is(content: bytes) -> None:
    assert without_weights(content) == content


def test_a_file_that_is_not_there_is_said(tmp_path: Path) -> None:
    with pytest.raises(InputError, match=r"Cannot read '.*none\.onnx' \(No such file"):
        read_model(tmp_path / "none.onnx")
    with pytest.raises(InputError, match="Is a directory"):
        read_model(tmp_path)


def test_what_is_given_in_place_of_a_file_is_named(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (tmp_path / "empty").mkdir()
    for name in ("encoder.onnx", "decoder.onnx"):
        (tmp_path / name).write_bytes(b"")
    monkeypatch.chdir(tmp_path)
    reading, writing = os.pipe()
    os.close(writing)
    for path, said in {
        str(tmp_path): r"Is a directory.*Name a file of that folder: decoder\.onnx, encoder\.onnx\.",
        str(tmp_path / "empty"): "Give an ONNX file, not a folder",
        "-": r"Save the model to a file first; .*--file -",
        "*.onx": "No file fits that pattern",
        f"/dev/fd/{reading}": "is a pipe or a device.*save the model to a file first",
        "gone.onnx": "Give an ONNX file; an architecture's text goes with the name of its search space",
    }.items():
        with pytest.raises(InputError, match=said):
            without_weights(Path(path))
    os.close(reading)


@pytest.mark.parametrize("weights", [False, True])
def test_a_whole_path_that_leads_into_the_models_folder_is_followed(tmp_path: Path, weights: bool) -> None:
    wide = np.zeros((4, 8), np.float32)
    (tmp_path / "w.bin").write_bytes(wide.tobytes())
    (tmp_path / "m.onnx").write_bytes(outside(model(wide, outputs=8), str(tmp_path / "w.bin")))
    whole = read_model(tmp_path / "m.onnx", weights=weights)
    assert load_graph(whole).hash == load_graph(model(wide, outputs=8).SerializeToString()).hash
