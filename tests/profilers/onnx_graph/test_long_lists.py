"""Long lists read as tuples do, hash as they did, take little memory, and stay out of graph records."""

import tracemalloc

import numpy as np
import pytest
from onnx import AttributeProto, TensorProto, helper

from profilers.onnx_graph import load_graph
from profilers.onnx_graph.long_lists import LONG_LIST, LongList, floats, integers, texts
from profilers.onnx_graph.operations import plain_value

COUNT = LONG_LIST + 3


@pytest.mark.parametrize("low", [0, -1, 2**17, 2**40], ids=["16 bits", "sign", "32 bits", "64 bits"])
def test_long_lists_hold_the_values_of_the_tuple(low):
    values = tuple(range(low, low + COUNT))
    held = integers(values)
    assert isinstance(held, LongList)
    assert (len(held), held[:], held[5], held[-1]) == (COUNT, values, low + 5, values[-1])
    assert np.array_equal(np.asarray(held, dtype=np.int64), values)
    assert "".join(held.literals()) == ascii(values)


def test_floats_and_texts_too():
    attribute = AttributeProto(name="a", type=AttributeProto.FLOATS, floats=np.linspace(-1e-9, 3e9, COUNT))
    held = plain_value(attribute)
    assert isinstance(held, LongList)
    assert "".join(held.literals()) == ascii(tuple(attribute.floats))
    modes = ["LEAF", "BRANCH_LEQ", "ü"] * COUNT
    kept = texts([text.encode() for text in modes], bytes.decode)
    assert isinstance(kept, LongList)
    assert kept[:] == tuple(modes)
    assert "".join(kept.literals()) == ascii(tuple(modes))
    assert np.array_equal(kept.equals("LEAF"), [mode == "LEAF" for mode in modes])


def test_short_ones_are_tuples():
    assert (integers([1, 2]), floats([0.5]), texts([b"a"], bytes.decode)) == ((1, 2), (0.5,), ("a",))


def ensemble(trees: int, *, depth: int = 6) -> bytes:
    inner, size = 2**depth - 1, 2 ** (depth + 1) - 1
    local = np.tile(np.arange(size), trees)
    leaf, tree = local >= inner, np.repeat(np.arange(trees), size)
    node = helper.make_node(
        "TreeEnsembleRegressor", ["x"], ["y"], domain="ai.onnx.ml", n_targets=1,
        nodes_treeids=tree.tolist(), nodes_nodeids=local.tolist(), nodes_featureids=(local % 4).tolist(),
        nodes_values=(local / 7).tolist(), nodes_modes=["LEAF" if end else "BRANCH_LEQ" for end in leaf],
        nodes_truenodeids=np.where(leaf, 0, 2 * local + 1).tolist(),
        nodes_falsenodeids=np.where(leaf, 0, 2 * local + 2).tolist(),
        target_treeids=tree[leaf].tolist(), target_nodeids=local[leaf].tolist(),
        target_ids=[0] * int(leaf.sum()), target_weights=[0.5] * int(leaf.sum()),
    )  # fmt: skip
    x = helper.make_tensor_value_info("x", TensorProto.FLOAT, [3, 4])
    graph = helper.make_graph([node], "g", [x], [helper.make_tensor_value_info("y", TensorProto.FLOAT, [3, 1])])
    imports = [helper.make_opsetid("", 15), helper.make_opsetid("ai.onnx.ml", 1)]
    return helper.make_model(graph, opset_imports=imports, ir_version=7).SerializeToString()


def test_a_large_ensemble_is_counted_and_its_trees_stay_out_of_the_record():
    graph = load_graph(ensemble(700))
    (node,) = graph.nodes
    assert node.attributes == {"n_targets": 1, "trees": 700, "nodes": 700 * 127}
    assert node.flops == 2 * 3 * 700 * 6  # two a comparison, three rows, each tree six levels deep
    small = load_graph(ensemble(3)).nodes[0]
    assert len(small.attributes["nodes_treeids"]) == 3 * 127
    assert small.flops == 2 * 3 * 3 * 6


def test_hashes_are_those_of_the_whole_lists(monkeypatch):
    model = ensemble(60)
    compact = load_graph(model)
    monkeypatch.setattr("profilers.onnx_graph.long_lists.LONG_LIST", 10**9)
    whole = load_graph(model)
    assert "nodes_modes" in whole.nodes[0].attributes
    assert compact.hash == whole.hash


@pytest.mark.slow
def test_what_is_read_takes_little_beside_the_file():
    model = ensemble(700)
    load_graph(model)
    tracemalloc.start()
    load_graph(model)
    _, peak = tracemalloc.get_traced_memory()
    tracemalloc.stop()
    assert peak < 4 * len(model)
