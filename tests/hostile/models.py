"""Hostile ONNX files, made by code: small, each with the sentence that refuses it, or none where it is forecast."""

import base64
import gzip
import json
from collections.abc import Callable, Iterator, Sequence
from itertools import pairwise
from typing import Any

import numpy as np
from onnx import (
    AttributeProto,
    FunctionProto,
    GraphProto,
    ModelProto,
    NodeProto,
    SparseTensorProto,
    TensorProto,
    helper,
    numpy_helper,
)

from tests.hostile.entry import Entry
from tests.hostile.served import Answer, Served
from tests.service.helpers import TARGET

F, I64, BOOL = TensorProto.FLOAT, TensorProto.INT64, TensorProto.BOOL
Made = bytes | ModelProto
ENTRIES: list[Entry] = []
"""Every file, sent by each route."""
FILES: dict[str, Callable[[], bytes]] = {}
"""The file of each name."""


def hostile(
    says: str = "", *, stored: bool | None = None, fault: str = "", grows_mib: float = 100.0, slow: bool = False
) -> Callable[[Callable[[], Made]], Callable[[], Made]]:
    """Enter a file into the corpus: as a forecast, and as an upload.

    Args:
        says: a pattern of the sentence that refuses it; empty where it is forecast.
        stored: whether its upload is taken; where it is forecast, by default.
        fault: number of a fault that is not mended, which a forecast shows.
        grows_mib: see `Entry`.
        slow: see `Entry`.
    """

    def enter(make: Callable[[], Made]) -> Callable[[], Made]:
        def content() -> bytes:
            made = make()
            return made if isinstance(made, bytes) else bytes(made.SerializeToString())

        name = make.__name__
        FILES[name] = content
        bounds: dict[str, Any] = {"grows_mib": grows_mib, "slow": slow}
        ENTRIES.append(
            Entry(name=f"forecast-{name}", send=lambda it: forecast(it, content()), status=200, says=says, fault=fault,
                  **bounds)
        )  # fmt: skip
        taken = not says if stored is None else stored
        ENTRIES.append(
            Entry(name=f"upload-{name}", send=lambda it: upload(it, content()), status=201 if taken else 422,
                  says="" if taken else says, fault="" if taken else fault, **bounds)
        )  # fmt: skip
        return make

    return enter


def forecast(served: Served, content: bytes, shapes: dict[str, list[int]] | None = None) -> Answer:
    """Ask for a forecast of a file."""
    item = {"onnx": base64.b64encode(content).decode(), "shapes": shapes or {}}
    return served.call("POST", "/v1/predict", json.dumps({"target": TARGET.id, "items": [item]}).encode())


def upload(served: Served, content: bytes) -> Answer:
    """Store a file's graph."""
    return served.call("POST", "/v1/graphs", content, headers={"Content-Type": "application/octet-stream"})


# --- Parts --------------------------------------------------------------------------------------------------------


def info(name: str, shape: Sequence[int | str] | None = (4, 8), dtype: int = F) -> Any:
    return helper.make_tensor_value_info(name, dtype, shape)


def model(
    nodes: Sequence[NodeProto],
    *,
    shape: Sequence[int | str] = (4, 8),
    outputs: Sequence[str] = ("y",),
    constants: Sequence[TensorProto] = (),
    functions: Sequence[FunctionProto] = (),
    opset: int = 17,
    domains: Sequence[str] = (),
) -> ModelProto:
    """A model with the input `x`."""
    graph = helper.make_graph(nodes, "g", [info("x", shape)], [info(name, None) for name in outputs], constants)
    opsets = [helper.make_opsetid("", opset), *(helper.make_opsetid(domain, 1) for domain in domains)]
    return helper.make_model(graph, opset_imports=opsets, ir_version=9, functions=functions)


def relu(read: str = "x", made: str = "y", **attributes: Any) -> NodeProto:
    return helper.make_node("Relu", [read], [made], **attributes)


def single(
    operator: str, *inputs: Any, outputs: int = 1, domain: str = "", opset: int = 17, **attributes: Any
) -> ModelProto:
    """One node over a float input and constants of zeros; an input is a shape, or an array."""
    names = [f"i{place}" for place in range(len(inputs))]
    constants = [
        numpy_helper.from_array(value if isinstance(value, np.ndarray) else np.zeros(value, np.float32), name)
        for name, value in zip(names[1:], inputs[1:], strict=True)
    ]
    results = [f"o{place}" for place in range(outputs)]
    node = helper.make_node(operator, ["x", *names[1:]], results, domain=domain)
    node.attribute.extend(attribute(name, value) for name, value in attributes.items())
    return model([node], shape=inputs[0], outputs=results, constants=constants, opset=opset,
                 domains=[domain] if domain else [])  # fmt: skip


def attribute(name: str, value: Any) -> AttributeProto:
    return value if isinstance(value, AttributeProto) else helper.make_attribute(name, value)


def ints(*values: int) -> "np.ndarray[Any, Any]":
    return np.array(values, np.int64)


def body(nodes: Sequence[NodeProto], inputs: Sequence[Any], outputs: Sequence[Any]) -> GraphProto:
    return helper.make_graph(nodes, "body", inputs, outputs)


def branches(inner: NodeProto, made: str, level: int) -> NodeProto:
    """An If around a node."""
    name = inner.output[0]
    other = f"other{level}"
    return helper.make_node(
        "If", ["c"], [made], then_branch=body([inner], [], [info(name, None)]),
        else_branch=body([relu(made=other)], [], [info(other, None)]),
    )  # fmt: skip


def looped(nodes: Sequence[NodeProto], result: str, *, trips: int, shape: Sequence[int] = (4, 8)) -> ModelProto:
    """A Loop around nodes that read `v`."""
    inputs = [info("trip", (), I64), info("go", (), BOOL), info("v", shape)]
    outputs = [info("on", (), BOOL), info(result, shape)]
    steps = body([*nodes, helper.make_node("Identity", ["go"], ["on"])], inputs, outputs)
    constants = [numpy_helper.from_array(np.array(trips), "trips"), numpy_helper.from_array(np.array(True), "start")]
    return model(
        [helper.make_node("Loop", ["trips", "start", "x"], ["y"], body=steps)], shape=shape, constants=constants
    )


def function(name: str, nodes: Sequence[NodeProto]) -> FunctionProto:
    imports = [helper.make_opsetid("", 17), helper.make_opsetid("local", 1)]
    return helper.make_function("local", name, ["a"], ["b"], nodes, imports)


def calls(functions: Sequence[FunctionProto], first: str) -> ModelProto:
    return model([helper.make_node(first, ["x"], ["y"], domain="local")], functions=functions, domains=["local"])


def repeated(name: str, inner: str, times: int = 2) -> FunctionProto:
    """A function that calls another one several times."""
    tensors = ["a", *(f"m{at}" for at in range(times - 1)), "b"]
    domain = "local" if inner.startswith("f") else ""
    return function(name, [helper.make_node(inner, [read], [made], domain=domain) for read, made in pairwise(tensors)])


def external(name: str = "w", location: str = "/etc/passwd") -> TensorProto:
    tensor = TensorProto(name=name, dims=[3], data_type=F, data_location=TensorProto.EXTERNAL)
    tensor.external_data.add(key="location", value=location)
    return tensor


# --- Many nodes -----------------------------------------------------------------------------------------------------


def chain(size: int) -> ModelProto:
    return model([relu(f"t{at}" if at else "x", f"t{at + 1}") for at in range(size)], outputs=[f"t{size}"])


@hostile()
def chain_of_20_000() -> Made:
    return chain(20_000)


@hostile(slow=True, grows_mib=250.0)
def chain_of_100_000() -> Made:
    return chain(100_000)


@hostile(r"limit nodes = 100,000")
def chain_over_the_limit() -> Made:
    return chain(100_001)


@hostile()
def fan_of_8_000() -> Made:
    nodes = [helper.make_node("LeakyRelu", ["x"], [f"t{at}"], alpha=at / 8000) for at in range(8000)]
    return model(nodes, outputs=["t0"])


@hostile()
def fan_of_the_same() -> Made:
    return model([relu("x", f"t{at}") for at in range(8000)], outputs=["t0", "t7999"])


@hostile()
def fan_of_products() -> Made:
    gate = helper.make_node("Sigmoid", ["x"], ["s"])
    products = [helper.make_node("Mul", ["x", "s"] if at % 2 else ["s", "x"], [f"t{at}"]) for at in range(8000)]
    return model([gate, *products], outputs=["t0"])


@hostile()
def shared_constant() -> Made:
    nodes = [helper.make_node("Mul", [f"t{at}" if at else "x", "k"], [f"t{at + 1}"]) for at in range(8000)]
    return model(nodes, outputs=["t8000"], constants=[numpy_helper.from_array(np.float32(2), "k")])


@hostile()
def slices_of_one_tensor() -> Made:
    constants, nodes = [numpy_helper.from_array(ints(1), "axis")], []
    for at in range(4000):
        constants += [numpy_helper.from_array(ints(at), f"a{at}"), numpy_helper.from_array(ints(at + 3), f"b{at}")]
        nodes.append(helper.make_node("Slice", ["x", f"a{at}", f"b{at}", "axis"], [f"t{at}"]))
    return model(nodes, shape=(2, 20_000), outputs=["t0"], constants=constants)


@hostile()
def many_edges() -> Made:
    nodes = [helper.make_node("Sum", [f"t{at}" if at else "x", *["x"] * 3999], [f"t{at + 1}"]) for at in range(60)]
    return model(nodes, outputs=["t60"])


@hostile("limit node_inputs = 4,096")
def too_many_inputs_of_a_node() -> Made:
    return model([helper.make_node("Sum", ["x"] * 4097, ["y"])])


@hostile("limit graph_inputs = 4,096")
def too_many_inputs_of_the_graph() -> Made:
    made = model([relu()])
    made.graph.input.extend(info(f"x{at}") for at in range(4096))
    return made


@hostile("limit initializers = 100,000")
def too_many_initializers() -> Made:
    return model([relu()], constants=[TensorProto(name=f"w{at}", data_type=F) for at in range(100_001)])


@hostile()
def value_infos_for_nobody() -> Made:
    made = model([relu()])
    made.graph.value_info.extend(info(f"v{at}") for at in range(100_000))
    return made


# --- Functions and bodies -------------------------------------------------------------------------------------------


@hostile()
def functions_that_double_to_2_14() -> Made:
    return calls([repeated(f"f{at}", f"f{at + 1}" if at < 13 else "Relu") for at in range(14)], "f0")


@hostile(grows_mib=250.0)
def functions_that_double_to_2_16() -> Made:
    return calls([repeated(f"f{at}", f"f{at + 1}" if at < 15 else "Relu") for at in range(16)], "f0")


@hostile("limit nodes = 100,000")
def functions_that_grow_to_10_15() -> Made:
    return calls([repeated(f"f{at}", f"f{at + 1}" if at < 14 else "Relu", 10) for at in range(15)], "f0")


@hostile("limit depth = 16")
def functions_that_double_to_2_60() -> Made:
    return calls([repeated(f"f{at}", f"f{at + 1}" if at < 59 else "Relu") for at in range(60)], "f0")


@hostile("calls itself")
def function_that_calls_itself() -> Made:
    return calls([repeated("f0", "f0")], "f0")


@hostile("calls itself")
def functions_that_call_each_other() -> Made:
    return calls([repeated("f0", "f1"), repeated("f1", "f0")], "f0")


@hostile("limit depth = 16")
def functions_too_deep() -> Made:
    inner = [function(f"f{at}", [helper.make_node(f"f{at + 1}", ["a"], ["b"], domain="local")]) for at in range(40)]
    return calls([*inner, function("f40", [relu("a", "b")])], "f0")


@hostile()
def loop_with_a_large_body() -> Made:
    return looped([relu(f"b{at}" if at else "v", f"b{at + 1}") for at in range(10_000)], "b10000", trips=3)


@hostile()
def loop_without_end() -> Made:
    return looped([relu("v", "b")], "b", trips=2**62)


@hostile()
def loop_of_minus_one() -> Made:
    return looped([relu("v", "b")], "b", trips=-1)


@hostile("limit depth = 16")
def branches_too_deep() -> Made:
    node = relu(made="deep")
    for level in range(20):
        node = branches(node, "y" if level == 19 else f"m{level}", level)
    return model([node], constants=[numpy_helper.from_array(np.array(True), "c")])


@hostile("do not parse")
def branches_deeper_than_the_parser() -> Made:
    inner = b"\x0a\x00"
    for _ in range(300):
        inner = tagged(1, tagged(5, tagged(6, inner)))  # graph.node.attribute.g
    return tagged(7, inner) + bytes(model([relu()]).SerializeToString())


def tagged(field: int, content: bytes) -> bytes:
    """A field of protocol buffers that holds bytes."""
    return bytes([field << 3 | 2]) + varint(len(content)) + content


def varint(number: int) -> bytes:
    parts = []
    while number > 127:
        parts.append(number & 127 | 128)
        number >>= 7
    return bytes([*parts, number])


# --- Attributes -----------------------------------------------------------------------------------------------------

X4, W4 = (1, 4, 8, 8), (4, 4, 3, 3)


@hostile("group")
def convolution_of_no_groups() -> Made:
    return single("Conv", X4, W4, group=0)


@hostile("group")
def convolution_of_minus_three_groups() -> Made:
    return single("Conv", X4, W4, group=-3)


@hostile("group")
def transposed_convolution_of_no_groups() -> Made:
    return single("ConvTranspose", X4, W4, group=0)


@hostile("at least 3 dimensions")
def transposed_convolution_of_a_scalar() -> Made:
    return single("ConvTranspose", (), W4)


@hostile("strides must only contain positive")
def strides_of_zero() -> Made:
    return single("Conv", X4, W4, strides=[0, 0])


@hostile("strides must only contain positive")
def strides_below_zero() -> Made:
    return single("MaxPool", X4, kernel_shape=[2, 2], strides=[-1, -(2**63)])


@hostile()
def kernel_of_2_40() -> Made:
    return single("AveragePool", X4, kernel_shape=[2**40, 2**40])


@hostile("overflow")
def dilations_of_2_62() -> Made:
    return single("Conv", X4, W4, dilations=[2**62, 2**62])


@hostile("limit tensor_bytes")
def pads_of_2_62() -> Made:
    return single("Conv", X4, W4, pads=[2**62] * 4)


@hostile("window would be negative", stored=True)
def blocks_below_zero() -> Made:
    return single("MatMulNBits", (2, 32), np.zeros((8, 1, 16), np.uint8), (8,), domain="com.microsoft", K=32, N=8,
                  bits=4, block_size=-2)  # fmt: skip


@hostile()
def recurrence_with_two_inputs() -> Made:
    return single(
        "DynamicQuantizeLSTM", (4, 1, 8), np.zeros((1, 8, 32), np.int8), domain="com.microsoft", hidden_size=8
    )


@hostile("crashed the process")
def layer_norm_over_axis_2_31() -> Made:
    return single("LayerNormalization", (2, 4), (4,), outputs=3, axis=2**31)


@hostile("crashed the process")
def split_into_one_of_three() -> Made:
    return single("Split", (6, 4), outputs=3, opset=18, num_outputs=1)


@hostile()
def softmax_over_axis_2_62() -> Made:
    return single("Softmax", (2, 4), axis=2**62)


@hostile("repeated value")
def transpose_of_one_axis_twice() -> Made:
    return single("Transpose", (2, 4), perm=[0, 0])


@hostile()
def concat_along_2_63() -> Made:
    return single("Concat", (2, 4), (2, 4), axis=2**63 - 1)


@hostile()
def gather_along_minus_2_63() -> Made:
    return single("Gather", (2, 4), ints(0), axis=-(2**63))


@hostile("valid type")
def cast_to_type_9999() -> Made:
    return single("Cast", (2, 4), to=9999)


@hostile()
def top_of_minus_two() -> Made:
    return single("TopK", (2, 4), ints(-2), outputs=2)


@hostile()
def slope_that_is_no_number() -> Made:
    return single("LeakyRelu", (2, 4), alpha=float("nan"))


@hostile()
def slope_without_bounds() -> Made:
    return single("Elu", (2, 4), alpha=float("inf"))


@hostile()
def resize_to_less_than_nothing() -> Made:
    return single("Resize", X4, (0,), (0,), ints(1, 4, -8, -8))


@hostile()
def resize_by_what_is_no_number() -> Made:
    return single("Resize", X4, (0,), np.array([1, 1, np.nan, np.inf], np.float32))


@hostile("limit tensor_bytes")
def padding_of_2_60() -> Made:
    return single("Pad", (2, 4), ints(2**60, 0, 2**60, 0))


@hostile()
def grouped_query_attention_of_nothing() -> Made:
    return single("GroupQueryAttention", (1, 1, 8), domain="com.microsoft", outputs=3, num_heads=0, kv_num_heads=0)


@hostile()
def heads_below_zero() -> Made:
    return single("MultiHeadAttention", (1, 4, 8), (1, 4, 8), (1, 4, 8), domain="com.microsoft", num_heads=-1)


@hostile("A Einsum node does not fit")
def einsum_of_nonsense() -> Made:
    return single("Einsum", (2, 4), equation="->->" * 500)


@hostile("twice")
def attribute_twice() -> Made:
    made = single("Softmax", (2, 4), axis=1)
    made.graph.node[0].attribute.append(helper.make_attribute("axis", 0))
    return made


@hostile("without a value")
def attribute_without_type() -> Made:
    made = single("Softmax", (2, 4))
    made.graph.node[0].attribute.append(AttributeProto(name="axis"))
    return made


@hostile()
def attribute_that_is_not_utf_8() -> Made:
    return single("Upsample", X4, np.ones(4, np.float32), opset=9, mode=b"\xff\xfe\x1b[31m")


@hostile("limit attributes = 128")
def too_many_attributes() -> Made:
    return single("Relu", (2, 4), **{f"a{at}": 1 for at in range(129)})


@hostile("limit attribute_bytes")
def attribute_of_two_megabytes() -> Made:
    return single("Relu", (2, 4), name=b"a" * 2**21)


@hostile("which no tensor has")
def tree_ensemble_that_contradicts_itself() -> Made:
    return single("TreeEnsembleRegressor", (4, 8), domain="ai.onnx.ml", nodes_treeids=[0] * 9, nodes_nodeids=[0],
                  nodes_featureids=[2**40], nodes_modes=["BRANCH_LEQ"], n_targets=-1)  # fmt: skip


@hostile()
def tree_ensemble_of_20_000_nodes() -> Made:
    size = 20_000
    return single(
        "TreeEnsembleRegressor", (4, 8), domain="ai.onnx.ml", n_targets=1, nodes_treeids=[0] * size,
        nodes_nodeids=list(range(size)), nodes_featureids=[0] * size, nodes_values=[0.5] * size,
        nodes_modes=["LEAF"] * size, nodes_truenodeids=[0] * size, nodes_falsenodeids=[0] * size,
        target_treeids=[0], target_nodeids=[0], target_ids=[0], target_weights=[float("nan")],
    )  # fmt: skip


# --- Sizes ----------------------------------------------------------------------------------------------------------


@hostile("no size in")
def input_of_2_62() -> Made:
    return model([relu()], shape=(2**62, 4))


@hostile("no size in")
def input_of_less_than_nothing() -> Made:
    return model([relu()], shape=(-3, 4))


@hostile("not bound")
def input_of_any_size() -> Made:
    return model([relu()], shape=("batch", 4))


@hostile("limit rank")
def input_of_rank_100() -> Made:
    return model([relu()], shape=(1,) * 100)


@hostile("limit tensor_bytes")
def initializer_of_2_124() -> Made:
    return model([relu()], constants=[TensorProto(name="w", dims=[2**62, 2**62], data_type=F)])


@hostile("holds 4")
def initializer_that_lies() -> Made:
    return model([relu()], constants=[TensorProto(name="w", dims=[9], data_type=F, raw_data=b"1234")])


@hostile("limit tensor_bytes")
def constant_of_a_shape() -> Made:
    nodes = [helper.make_node("ConstantOfShape", ["s"], ["b"]), relu()]
    return model(nodes, constants=[numpy_helper.from_array(ints(2**20, 2**20), "s")])


@hostile("limit tensor_bytes")
def expand_to_2_40() -> Made:
    return single("Expand", (1, 1), ints(2**20, 2**20))


@hostile("limit tensor_bytes")
def tile_to_2_40() -> Made:
    return single("Tile", (1, 1), ints(2**20, 2**20))


@hostile("limit tensor_bytes")
def range_to_2_40() -> Made:
    constants = [numpy_helper.from_array(np.array(value, np.int64), name) for name, value in
                 (("from", 0), ("to", 2**40), ("by", 1))]  # fmt: skip
    return model([helper.make_node("Range", ["from", "to", "by"], ["r"]), relu()], constants=constants)


@hostile("limit tensor_bytes")
def product_of_two_vectors() -> Made:
    return single("MatMul", (2**20, 1), (1, 2**20))


@hostile("segment")
def tensor_in_segments() -> Made:
    tensor = TensorProto(name="w", dims=[1], data_type=F, raw_data=bytes(4))
    tensor.segment.begin, tensor.segment.end = 0, 2**60
    return model([relu()], constants=[tensor])


@hostile("element type 99")
def tensor_of_type_99() -> Made:
    return model([relu()], constants=[TensorProto(name="w", dims=[1], data_type=99)])


# --- Data elsewhere -------------------------------------------------------------------------------------------------


@hostile("another file")
def external_initializer() -> Made:
    return model([relu()], constants=[external()])


@hostile("another file")
def external_parent() -> Made:
    return model([relu()], constants=[external(location="../../../../etc/shadow")])


@hostile("another file")
def external_attribute() -> Made:
    return model([helper.make_node("Constant", [], ["w"], value=external()), relu()])


@hostile("another file")
def external_sparse() -> Made:
    made = model([relu()])
    indices = numpy_helper.from_array(ints(0, 1, 2), "")
    made.graph.sparse_initializer.append(SparseTensorProto(values=external(), indices=indices, dims=[9]))
    return made


@hostile("another file")
def external_in_a_body() -> Made:
    made = looped([relu("v", "b")], "b", trips=1)
    made.graph.node[0].attribute[0].g.initializer.append(external())
    return made


# --- Files ----------------------------------------------------------------------------------------------------------

VALID = bytes(model([relu()]).SerializeToString())


@hostile("is empty|Field required")
def empty() -> Made:
    return b""


@hostile("not an ONNX model")
def zeros() -> Made:
    return bytes(1000)


@hostile("not an ONNX model")
def junk() -> Made:
    return b"not a model at all"


@hostile("not an ONNX model")
def truncated() -> Made:
    return VALID[: len(VALID) // 2]


@hostile("packed with gzip|not an ONNX model")
def compressed() -> Made:
    return gzip.compress(VALID)


@hostile("not an ONNX model")
def a_length_of_2_63() -> Made:
    return b"\x3a" + b"\xff" * 9 + b"\x01"


@hostile("no graph")
def no_graph() -> Made:
    return ModelProto(ir_version=9, opset_import=[helper.make_opsetid("", 17)])


@hostile("opset_import")
def no_opset() -> Made:
    made = model([relu()])
    del made.opset_import[:]
    return made


@hostile("version -1")
def opset_of_minus_one() -> Made:
    return model([relu()], opset=-1)


@hostile(r"evil\.org")
def foreign_domain() -> Made:
    return model([helper.make_node("Do", ["x"], ["y"], domain="evil.org")], domains=["evil.org"])


@hostile("control characters|Unsupported operators")
def domain_that_moves_the_cursor() -> Made:
    return model([helper.make_node("Do\n", ["x"], ["y"], domain="\x1b]0;pwned\x07")])


@hostile("control characters")
def name_that_moves_the_cursor() -> Made:
    return model([relu(name="a\x1b[31m")])


@hostile("limit name_bytes")
def name_of_a_megabyte() -> Made:
    return model([relu(made="y" * 2**20), relu()])


@hostile("two tensors")
def two_tensors_of_one_name() -> Made:
    return model([relu(), relu()])


@hostile("cycle")
def cycle() -> Made:
    return model([helper.make_node("Add", ["x", "b"], ["a"]), relu("a", "b"), relu("b")])


@hostile("'nowhere'")
def reads_from_nowhere() -> Made:
    return model([relu("nowhere")])


@hostile("'nowhere'")
def gives_from_nowhere() -> Made:
    return model([relu()], outputs=["nowhere"])


def sent_twice() -> Iterator[Entry]:
    """Forecasts by the hash of what was stored."""
    for name in ("chain_of_20_000", "loop_with_a_large_body", "value_infos_for_nobody"):
        yield Entry(name=f"hash-{name}", send=lambda it, name=name: by_hash(it, FILES[name]()), status=200)


def by_hash(served: Served, content: bytes) -> Answer:
    stored = upload(served, content).plain["hash"]
    body = {"target": TARGET.id, "items": [{"graph": stored}]}
    return served.call("POST", "/v1/predict", json.dumps(body).encode())


ENTRIES += sent_twice()
