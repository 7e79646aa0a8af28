"""A graph whose numbers cannot be is refused with the place of the first that cannot."""

from dataclasses import replace

import pytest

from latcast.schema import Graph, InvalidModelError, Node, TensorSpec
from profilers.onnx_graph.bounds import LARGEST, check_bounds

NODE = Node(operator="Relu", inputs=(0,), outputs=(1,), flops=6)
GRAPH = Graph(
    hash="g1-x",
    tensors=(TensorSpec(name="x", dtype="float32", shape=(2, 3)), TensorSpec(name="y", dtype="float32", shape=None)),
    inputs=(0,),
    outputs=(1,),
    nodes=(NODE,),
)


def test_graphs_that_can_be_pass() -> None:
    check_bounds(GRAPH)
    check_bounds(replace(GRAPH, nodes=(replace(NODE, flops=LARGEST, bodies=(GRAPH,)),)))


@pytest.mark.parametrize("shape", [(4, -1), (2**63,)])
def test_shapes_that_no_tensor_has_are_refused(shape: tuple[int, ...]) -> None:
    with pytest.raises(InvalidModelError, match="tensor 'y' would have the shape"):
        check_bounds(replace(GRAPH, tensors=(GRAPH.tensors[0], replace(GRAPH.tensors[1], shape=shape))))


@pytest.mark.parametrize("field", ["macs", "flops", "parameter_bytes", "input_bytes", "output_bytes", "trips"])
@pytest.mark.parametrize("value", [-1, LARGEST + 1])
def test_work_that_nobody_does_is_refused_in_bodies_too(field: str, value: int) -> None:
    odd = replace(GRAPH, nodes=(NODE, replace(NODE, **{field: value})))
    for graph in (odd, replace(GRAPH, nodes=(NODE, replace(NODE, bodies=(odd,))))):
        with pytest.raises(InvalidModelError, match=r"Node 1 \(Relu\)"):
            check_bounds(graph)
