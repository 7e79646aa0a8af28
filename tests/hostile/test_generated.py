"""Valid models with attributes, types, shapes and operator sets changed, and parts put into local functions and bodies:
finite forecasts from whoever reads graphs, and an error of latcast with a sentence in all other cases.
"""

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import replace
from inspect import signature
from typing import Any

import numpy as np
import pytest
from hypothesis import HealthCheck, Phase, given, settings
from hypothesis import strategies as st
from onnx import ModelProto, NodeProto, TensorProto, helper, numpy_helper

from latcast.schema import DeviceEvidence, LatcastError, Target
from predictors.base import LatencyDataset, Predictor, Query
from predictors.features.references import reference_key
from predictors.registry import predictor_class, predictor_kinds, pretrained
from predictors.testing import DEVICES, architecture_workload, measure, random_graph
from profilers.onnx_graph import GraphLoader
from profilers.search_spaces.zoo.references import reference_networks
from tests.service.helpers import model
from tests.strategies import onnx_protos

ANY = Target(device="any", backend="onnxruntime", backend_version="1")
NUMBERS = st.sampled_from([-(2**63), -3, -1, 0, 1, 2, 7, 2**31, 2**62, 2**63 - 1])
VALUES = st.one_of(
    NUMBERS, st.floats(width=32), st.sampled_from(["", "nearest", "\x1b[2J"]), st.lists(NUMBERS, min_size=1, max_size=5)
)  # fmt: skip
NAMES = ("axis", "group", "strides", "pads", "kernel_shape", "dilations", "perm", "alpha", "transB", "keepdims")
OPERATORS = ("Conv", "MatMul", "Softmax", "Split", "Resize", "LayerNormalization", "Gather", "Loop", "Reshape", "TopK")
SMALL = {"epochs": 2, "warm_up_epochs": 1, "training_rows": 60, "episodes": 4, "query_rows": 10, "samples": 1,
         "width": 8, "layers": 1, "trees": 20, "folds": 2, "encoder_epochs": 2, "encoder_width": 8,
         "encoder_layers": 1}  # fmt: skip
"""Settings with which every kind is fitted in seconds; how well does not matter here."""
TYPES = (TensorProto.FLOAT, TensorProto.FLOAT16, TensorProto.INT8, TensorProto.BOOL, TensorProto.STRING, 99)


@st.composite
def changed(draw: st.DrawFn) -> bytes:
    """A model that was valid."""
    proto = draw(onnx_protos(max_nodes=5))
    for nest in draw(st.lists(st.sampled_from([_into_function, _into_branch, _into_loop, _call_again]), max_size=3)):
        nest(draw, proto)
    for change in draw(st.lists(st.sampled_from([_attribute, _operator, _type, _size, _opset, _inputs]), max_size=3)):
        change(draw, proto)
    return bytes(proto.SerializeToString())


def _node(draw: st.DrawFn, proto: ModelProto) -> NodeProto:
    """A node at any depth."""
    nodes = list(_nodes([*proto.graph.node, *(node for function in proto.functions for node in function.node)]))
    return nodes[draw(st.integers(0, len(nodes) - 1))]


def _nodes(nodes: Iterable[NodeProto]) -> Iterator[NodeProto]:
    for node in nodes:
        yield node
        for item in node.attribute:
            yield from _nodes(item.g.node)


def _taken_out(draw: st.DrawFn, proto: ModelProto) -> tuple[NodeProto, NodeProto]:
    """A node of the main graph as something else may hold it, and the node that is to take its place."""
    place = proto.graph.node[draw(st.integers(0, len(proto.graph.node) - 1))]
    held = NodeProto.FromString(place.SerializeToString())
    place.ClearField("attribute")
    place.ClearField("domain")
    return held, place


def _into_function(draw: st.DrawFn, proto: ModelProto) -> None:
    """A call of a local function instead of the node; a function may call one that was made before."""
    held, place = _taken_out(draw, proto)
    name, inputs = f"f{len(proto.functions)}", list(dict.fromkeys(filter(None, held.input)))
    opsets = [helper.make_opsetid("", proto.opset_import[0].version), helper.make_opsetid("local", 1)]
    proto.functions.append(helper.make_function("local", name, inputs, held.output, [held], opsets))
    if len(proto.opset_import) == 1:
        proto.opset_import.append(opsets[1])
    _become(place, name, inputs, domain="local")


def _into_branch(draw: st.DrawFn, proto: ModelProto) -> None:
    """An If instead of the node; both branches read what lies outside."""
    held, place = _taken_out(draw, proto)
    condition = _constant(proto, np.array(draw(st.booleans())))
    results = [helper.make_empty_tensor_value_info(name) for name in held.output]
    branches = {name: helper.make_graph([held], name, [], results) for name in ("then_branch", "else_branch")}
    _become(place, "If", [condition], **branches)


def _into_loop(draw: st.DrawFn, proto: ModelProto) -> None:
    """A Loop instead of the node; its results are stacked."""
    held, place = _taken_out(draw, proto)
    trips = _constant(proto, np.array(draw(st.sampled_from([-1, 0, 1, 3, 2**40]))))
    go = _constant(proto, np.array(True))
    inputs = [helper.make_tensor_value_info(f"{trips}-at", TensorProto.INT64, []),
              helper.make_tensor_value_info(f"{go}-on", TensorProto.BOOL, [])]  # fmt: skip
    results = [helper.make_empty_tensor_value_info(name) for name in (f"{go}-further", *held.output)]
    steps = [held, helper.make_node("Identity", [f"{go}-on"], [f"{go}-further"])]
    _become(place, "Loop", [trips, go], body=helper.make_graph(steps, "body", inputs, results))


def _call_again(draw: st.DrawFn, proto: ModelProto) -> None:
    """A function that calls another one twice, or itself."""
    if not proto.functions:
        return
    caller, called = (draw(st.sampled_from(list(proto.functions))) for _ in range(2))
    again = helper.make_node(called.name, list(caller.input)[: len(called.input)], ["again"], domain="local")
    caller.node.extend([again, again] if draw(st.booleans()) else [again])


def _become(place: NodeProto, operator: str, inputs: Sequence[str], domain: str = "", **attributes: Any) -> None:
    made = helper.make_node(operator, inputs, place.output, domain=domain, **attributes)
    place.CopyFrom(made)


def _constant(proto: ModelProto, value: "np.ndarray[Any, Any]") -> str:
    name = f"made{len(proto.graph.initializer)}"
    proto.graph.initializer.append(numpy_helper.from_array(value, name))
    return name


def _attribute(draw: st.DrawFn, proto: ModelProto) -> None:
    node, name = _node(draw, proto), draw(st.sampled_from(NAMES))
    kept = [attribute for attribute in node.attribute if attribute.name != name]
    del node.attribute[:]
    node.attribute.extend([*kept, helper.make_attribute(name, draw(VALUES))])


def _operator(draw: st.DrawFn, proto: ModelProto) -> None:
    _node(draw, proto).op_type = draw(st.sampled_from(OPERATORS))


def _type(draw: st.DrawFn, proto: ModelProto) -> None:
    proto.graph.input[0].type.tensor_type.elem_type = draw(st.sampled_from(TYPES))


def _size(draw: st.DrawFn, proto: ModelProto) -> None:
    for dim in proto.graph.input[0].type.tensor_type.shape.dim[:1]:
        dim.dim_value = draw(NUMBERS)


def _opset(draw: st.DrawFn, proto: ModelProto) -> None:
    proto.opset_import[0].version = draw(st.sampled_from([1, 7, 11, 13, 18, 21, 999]))


def _inputs(draw: st.DrawFn, proto: ModelProto) -> None:
    node = _node(draw, proto)
    names = list(node.input)
    del node.input[:]
    node.input.extend(draw(st.permutations(names * 2))[: draw(st.integers(0, 4))])


@pytest.fixture(scope="module")
def loader() -> Iterator[GraphLoader]:
    with GraphLoader() as loader:
        yield loader


@pytest.fixture(scope="module")
def predictors() -> list[tuple[Predictor, Target]]:
    """A predictor of every kind that can be had here, each with a target that it forecasts for."""
    rng = np.random.default_rng(0)
    measured = measure([random_graph(rng) for _ in range(40)], DEVICES[:1], rng)
    described = DeviceEvidence(
        microbench={"call_ms": DEVICES[0].overhead_ms},
        reference_latency_ms={reference_key(one): 1.0 + place for place, one in enumerate(reference_networks())},
    )
    data = replace(measured, evidence={DEVICES[0].target.id: described})
    cells = architecture_workload(train=60, held_out=20).train
    shipped: list[tuple[Predictor, Target]] = [
        (pretrained("universal-graphs"), ANY), (pretrained("universal-nasbench201"), ANY),
    ]  # fmt: skip
    return [*shipped, *(made for kind in predictor_kinds() if (made := fitted(kind, data, cells)))]


def fitted(kind: str, data: LatencyDataset, cells: LatencyDataset) -> tuple[Predictor, Target] | None:
    """A small predictor, fitted on graphs if it can read any; None without the library that it needs."""
    try:
        made = predictor_class(kind)
    except ImportError:
        return None
    parameters = signature(made).parameters
    chosen = made(**{name: value for name, value in SMALL.items() if name in parameters})
    rows = data if "graph" in chosen.capabilities.inputs else cells
    try:
        return chosen.fit(rows), rows.queries[0].target
    except ImportError:
        return None


def require_sentence(error: LatcastError) -> None:
    assert str(error)
    assert str(error).isprintable(), "sentences reach terminals: nothing foreign may act there"


@pytest.mark.slow
@settings(
    max_examples=80, deadline=None, derandomize=True, database=None, phases=[Phase.generate],
    suppress_health_check=list(HealthCheck),
)  # fmt: skip
@given(changed())
def test_forecasts_are_finite_or_an_error_of_ours(
    loader: GraphLoader, predictors: list[tuple[Predictor, Target]], content: bytes
) -> None:
    try:
        graph = loader.load(content)
    except LatcastError as error:
        require_sentence(error)
        return
    for predictor, target in predictors:
        try:
            prediction = predictor.predict([Query(target=target, graph=graph)])
        except LatcastError as error:
            require_sentence(error)
            continue
        assert "graph" in predictor.fitted_capabilities().inputs
        assert np.isfinite(prediction.median_ms).all()
        assert (prediction.median_ms > 0).all()


def test_whoever_reads_no_graphs_says_so(loader: GraphLoader, predictors: list[tuple[Predictor, Target]]) -> None:
    graph = loader.load(model())
    readers = [predictor for predictor, _ in predictors if "graph" in predictor.fitted_capabilities().inputs]
    assert len(readers) >= 4
    for predictor, target in predictors:
        if predictor not in readers:
            with pytest.raises(LatcastError, match=r"architecture|text|search space"):
                predictor.predict([Query(target=target, graph=graph)])
