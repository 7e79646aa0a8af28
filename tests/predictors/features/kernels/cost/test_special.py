"""What operators with a cost of their own have to do."""

import numpy as np

from latcast.schema import Graph, Node, TensorSpec
from predictors.features.kernels import (
    Kernel,
    predict_kernels,
)
from profilers.onnx_graph import load_graph
from profilers.search_spaces import get_space
from tests.predictors.features.kernels.structures import Model


def test_trees_cost_what_a_row_compares() -> None:
    space = get_space("kernels")
    graph = load_graph(space.to_onnx(space.parse("trees/trees=20,depth=4,rows=8")))
    kernel = next(kernel for kernel in predict_kernels(graph) if kernel.kind == "trees")
    assert (kernel.operations, kernel.shape["groups"], kernel.shape["depth"]) == (20 * 4 * 8, 20, 4)


def special(model: Model, result: str, operator: str) -> Kernel:
    return next(k for k in predict_kernels(load_graph(model.build(result))) if k.operator == operator)


def test_sorting_a_longer_axis_costs_more_an_element() -> None:
    costs = []
    for length in (16, 4096):
        model = Model()
        x = model("TopK", model.input(1, length), model.constant([4], np.int64), outputs=2)
        kernel = special(model, x, "TopK")
        assert kernel.kind == "sort"
        costs.append(kernel.operations / length)
    assert costs[1] >= costs[0] > 0


def test_bodies_cost_nothing_in_what_holds_them() -> None:
    tensors = tuple(TensorSpec(name=f"t{i}", dtype="float32", shape=(64, 64)) for i in range(2))
    tanh = Node(operator="Tanh", inputs=(0,), outputs=(1,))
    body = Graph(hash="g1-body", tensors=tensors, inputs=(0,), outputs=(1,), nodes=(tanh,))
    loop = Node(operator="Loop", inputs=(0,), outputs=(1,), bodies=(body,), trips=3)
    graph = Graph(hash="g1-loop-of-tanh", tensors=tensors, inputs=(0,), outputs=(1,), nodes=(loop,))
    _, holder, inside, trip = predict_kernels(graph)
    assert (holder.kind, holder.macs) == ("control", 0)
    assert inside.operations > holder.operations
    assert (trip.operator, trip.repeats, trip.operations) == ("Trip", 3, 0)


def test_classifiers_of_trees_are_known_and_are_not_regressors() -> None:
    space = get_space("kernels")
    variants = []
    for task in ("regression", "classification"):
        graph = load_graph(space.to_onnx(space.parse(f"trees/trees=20,depth=4,rows=8,targets=3,task={task}")))
        kernel = next(kernel for kernel in predict_kernels(graph) if kernel.kind == "trees")
        assert (kernel.operations, kernel.known) == (20 * 4 * 8, True)
        variants.append(kernel.shape["variant"])
    assert variants == [0, 1]


def test_products_of_a_few_bits_are_told_apart_by_what_they_round_activations_to() -> None:
    space = get_space("kernels")
    for bits, level, variant in ((4, 0, 4), (8, 0, 8), (4, 4, 12), (8, 4, 16)):
        graph = load_graph(space.to_onnx(space.parse(f"nbits/in=256,out=64,bits={bits},level={level}")))
        kernel = next(kernel for kernel in predict_kernels(graph) if kernel.kind == "few_bits")
        assert (kernel.shape["variant"], kernel.known) == (variant, True)
