"""Work against onnx-tool on the networks of the onnx package, and by hand where it has no figure."""

from pathlib import Path

import numpy as np
import onnx
import pytest
from onnx import TensorProto, helper, numpy_helper

from profilers.onnx_graph import load_graph

_LIGHT = sorted(
    path
    for path in (Path(onnx.__file__).parent / "backend/test/data/light").glob("*.onnx")
    if "_output" not in path.name
)
_MATRIX = {"Conv", "Gemm", "MatMul"}


def _oracle(path: Path) -> dict[str, int]:
    """MACs by output name, as onnx-tool counts them, without the additions of biases that it calls MACs."""
    import onnx_tool

    model = onnx_tool.Model(str(path), {"constant_folding": True, "verbose": False})
    model.graph.shape_infer()
    model.graph.profile()
    found = {}
    for node in model.graph.nodemap.values():
        if node.op_type in _MATRIX:
            output = model.graph.tensormap[node.output[0]].get_shape()
            bias = int(np.prod(output)) if len(node.input) > 2 else 0
            found[node.output[0]] = int(node.macs[0] if isinstance(node.macs, list) else node.macs) - bias
    return found


@pytest.mark.parametrize("path", _LIGHT, ids=lambda path: path.stem)
def test_macs_agree_with_onnx_tool(path: Path):
    graph = load_graph(path.read_bytes())
    ours = {graph.tensors[node.outputs[0]].name: node.macs for node in graph.nodes if node.operator in _MATRIX}
    assert ours == _oracle(path)


def _macs_and_flops(node, inputs, constants=(), *, domains=()):
    graph = helper.make_graph(
        [node], "g", [helper.make_tensor_value_info(name, TensorProto.FLOAT, shape) for name, shape in inputs],
        [helper.make_tensor_value_info(name, TensorProto.UNDEFINED, None) for name in node.output],
        [numpy_helper.from_array(np.asarray(value), name) for name, value in constants],
    )  # fmt: skip
    imports = [helper.make_opsetid("", 17), *(helper.make_opsetid(domain, 1) for domain in domains)]
    loaded = load_graph(helper.make_model(graph, opset_imports=imports, ir_version=9).SerializeToString())
    return loaded.macs, loaded.flops


def _zeros(*shape):
    return np.zeros(shape, np.float32)


@pytest.mark.parametrize(
    ("operator", "inputs", "constants", "attributes", "macs"),
    [
        ("Conv", [(2, 4, 8, 8)], [_zeros(6, 2, 3, 3)], {"group": 2}, 2 * 6 * 6 * 6 * 2 * 9),
        ("ConvTranspose", [(1, 4, 5, 5)], [_zeros(4, 3, 2, 2)], {"strides": [2, 2]}, 4 * 25 * 3 * 4),
        ("Gemm", [(3, 5)], [_zeros(7, 5)], {"transB": 1}, 3 * 5 * 7),
        ("Gemm", [(5, 3)], [_zeros(5, 7)], {"transA": 1}, 3 * 5 * 7),
        ("MatMul", [(2, 3, 4), (2, 4, 5)], [], {}, 2 * 3 * 4 * 5),
        ("Einsum", [(2, 3, 4), (2, 4, 5)], [], {"equation": "bij,bjk->bik"}, 2 * 3 * 4 * 5),
        ("LSTM", [(7, 2, 5)], [_zeros(1, 12, 5), _zeros(1, 12, 3)], {"hidden_size": 3}, 7 * 2 * (12 * 5 + 12 * 3)),
        ("GRU", [(7, 2, 5)], [_zeros(2, 9, 5), _zeros(2, 9, 3)],
         {"hidden_size": 3, "direction": "bidirectional"}, 7 * 2 * 2 * 9 * 8),
    ],
)  # fmt: skip
def test_macs(operator, inputs, constants, attributes, macs):
    names = [f"x{at}" for at in range(len(inputs))]
    weights = [f"w{at}" for at in range(len(constants))]
    node = helper.make_node(operator, [*names, *weights], ["y"], **attributes)
    pairs = list(zip(names, inputs, strict=True)), list(zip(weights, constants, strict=True))
    assert _macs_and_flops(node, *pairs)[0] == macs


def test_attention_counts_projection_scores_and_values():
    node = helper.make_node("Attention", ["x", "w", "b"], ["y"], domain="com.microsoft", num_heads=2)
    macs, flops = _macs_and_flops(node, [("x", (2, 5, 8))], [("w", _zeros(8, 24)), ("b", _zeros(24))],
                                  domains=["com.microsoft"])  # fmt: skip
    assert macs == 2 * 5 * 8 * 24 + 2 * (2 * 5 * 5 * 8)
    assert flops > 2 * macs


def test_transcendental_functions_cost_more():
    relu, erf = (_macs_and_flops(helper.make_node(name, ["x"], ["y"]), [("x", (4, 4))])[1] for name in ("Relu", "Erf"))
    assert relu == 16 < erf


def test_gathering_moves_what_it_writes():
    graph = helper.make_graph(
        [helper.make_node("Gather", ["table", "i"], ["y"])], "g",
        [helper.make_tensor_value_info("i", TensorProto.INT64, (3,))],
        [helper.make_tensor_value_info("y", TensorProto.FLOAT, None)],
        [numpy_helper.from_array(_zeros(1000, 8), "table")],
    )  # fmt: skip
    model = helper.make_model(graph, opset_imports=[helper.make_opsetid("", 17)], ir_version=9)
    (node,) = load_graph(model.SerializeToString()).nodes
    assert (node.parameter_bytes, node.input_bytes, node.output_bytes, node.flops) == (96, 24, 96, 0)


def test_tree_ensembles_count_trees_times_depth():
    node = helper.make_node(
        "TreeEnsembleRegressor", ["x"], ["y"], domain="ai.onnx.ml", n_targets=1,
        nodes_treeids=[0, 0, 0, 1, 1, 1], nodes_nodeids=[0, 1, 2] * 2, nodes_featureids=[0] * 6,
        nodes_modes=["BRANCH_LEQ", "LEAF", "LEAF"] * 2, nodes_values=[0.0] * 6,
        nodes_truenodeids=[1, 0, 0] * 2, nodes_falsenodeids=[2, 0, 0] * 2,
        target_treeids=[0, 0, 1, 1], target_nodeids=[1, 2, 1, 2], target_ids=[0] * 4, target_weights=[1.0] * 4,
    )  # fmt: skip
    assert _macs_and_flops(node, [("x", (10, 3))], domains=["ai.onnx.ml"])[1] == 10 * 2 * 2
