"""Sizes behind sequences: split, put together one by one or in a loop, taken apart and joined."""

import numpy as np
import pytest
from onnx import TensorProto, helper

from profilers.onnx_graph import load_graph
from tests.profilers.onnx_graph.models import I64, F, made

node = helper.make_node
X = ("x", F, (8, 16))


def shape_of(nodes, constants=(), inputs=(X,)) -> tuple[int, ...] | None:
    graph = load_graph(made(nodes, inputs, [("y", F)], constants))
    return graph.tensors[graph.outputs[0]].shape


JOIN = node("ConcatFromSequence", ["s"], ["y"], axis=0)
TWO = ("two", np.int64(2))
PLACE = ("place", np.int64(1))


@pytest.mark.parametrize(
    ("nodes", "constants", "shape"),
    [
        ([node("SplitToSequence", ["x", "two"], ["s"], axis=0), JOIN], [TWO], (8, 16)),
        ([node("SplitToSequence", ["x"], ["s"], axis=1, keepdims=0), JOIN], [], (128,)),
        ([node("SequenceConstruct", ["x", "x", "x"], ["s"]), JOIN], [], (24, 16)),
        (
            [
                node("SequenceConstruct", ["x", "x"], ["s"]),
                node("ConcatFromSequence", ["s"], ["y"], axis=1, new_axis=1),
            ],
            [],
            (8, 2, 16),
        ),
        (
            [
                node("SplitToSequence", ["x", "parts"], ["s"], axis=0),
                node("SequenceAt", ["s", "place"], ["y"]),
            ],
            [("parts", np.array([3, 5])), PLACE],
            (5, 16),
        ),
        (
            [
                node("SplitToSequence", ["x", "parts"], ["r"], axis=0),
                node("SequenceErase", ["r", "place"], ["t"]),
                node("SequenceInsert", ["t", "x"], ["s"]),
                JOIN,
            ],
            [("parts", np.array([3, 5])), PLACE],
            (11, 16),
        ),
    ],
)
def test_sizes_are_known_behind_sequences(nodes, constants, shape) -> None:
    assert shape_of(nodes, constants) == shape


def test_a_position_that_is_not_known_leaves_sizes_open_unless_all_are_alike() -> None:
    taken = node("SequenceAt", ["s", "at"], ["y"])
    inputs = [X, ("at", I64, ())]
    halves = node("SplitToSequence", ["x", "two"], ["s"], axis=0)
    assert shape_of([halves, taken], [TWO], inputs) == (2, 16)
    uneven = node("SplitToSequence", ["x", "parts"], ["s"], axis=0)
    assert shape_of([uneven, taken], [("parts", np.array([3, 5]))], inputs) is None


def loop(trips_name: str) -> list[object]:
    sequence = helper.make_tensor_sequence_value_info
    body = helper.make_graph(
        [node("Identity", ["go"], ["on"]), node("SequenceInsert", ["held", "x"], ["more"])],
        "body",
        [
            helper.make_tensor_value_info("i", I64, []),
            helper.make_tensor_value_info("go", TensorProto.BOOL, []),
            sequence("held", F, None),
        ],
        [helper.make_tensor_value_info("on", TensorProto.BOOL, []), sequence("more", F, None)],
    )
    return [
        node("SequenceEmpty", [], ["none"]),
        node("Loop", [trips_name, "yes", "none"], ["s"], body=body),
        JOIN,
        node("MatMul", ["y", "w"], ["z"]),
    ]


def test_what_a_loop_puts_into_a_sequence_is_counted_by_its_trips() -> None:
    constants = [("yes", np.bool_(True)), ("w", np.ones((16, 5), np.float32))]
    graph = load_graph(made(loop("four"), [X], [("z", F)], [*constants, ("four", np.int64(4))]))
    assert graph.tensors[graph.outputs[0]].shape == (32, 5)
    assert graph.macs == 32 * 16 * 5
    fed = load_graph(made(loop("many"), [X, ("many", I64, ())], [("z", F)], constants))
    assert fed.tensors[fed.outputs[0]].shape is None
