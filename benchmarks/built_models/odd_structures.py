"""Sequences, latencies that depend on values, training mode and blocks of 4 bits: by hand, as exporters write them."""

from collections.abc import Mapping

import numpy as np
from onnx import TensorProto
from onnx.helper import make_node, make_tensor

from benchmarks.built_models.network import Builder, Built, normal, reseeded, to_graph, to_model, value

__all__ = ["NETWORKS"]


def _normalised(blocks: int, channels: int, side: int, *, training: bool) -> Built:
    """Convolutions and normalisations, which in training mode compute statistics of their own."""
    numbers, nodes, weights, x = ("scale", "bias", "mean", "var"), [], {}, "x"
    for i in range(blocks):
        weights |= {f"w{i}": normal(channels, channels, 3, 3)}
        weights |= {f"{name}{i}": np.ones(channels, np.float32) for name in numbers}
        outputs = [f"n{i}", f"mean_out{i}", f"var_out{i}"] if training else [f"n{i}"]
        mode = {"training_mode": 1} if training else {}
        nodes += [
            make_node("Conv", [x, f"w{i}"], [f"c{i}"], pads=[1] * 4),
            make_node("BatchNormalization", [f"c{i}", *(f"{n}{i}" for n in numbers)], outputs, **mode),
            make_node("Relu", [f"n{i}"], [f"r{i}"]),
        ]  # fmt: skip
        x = f"r{i}"
    shape = [1, channels, side, side]
    return Built(model=to_model(to_graph(nodes, [value("x", shape)], [value(x, shape)], weights), 15))


def _dropout(layers: int, rows: int, width: int) -> Built:
    """Dense layers with Dropout in training mode."""
    nodes, weights, x = [], {"ratio": np.float32(0.1), "training": np.bool_(True)}, "x"
    for i in range(layers):
        weights[f"w{i}"] = normal(width, width)
        nodes += [
            make_node("MatMul", [x, f"w{i}"], [f"m{i}"]), make_node("Relu", [f"m{i}"], [f"r{i}"]),
            make_node("Dropout", [f"r{i}", "ratio", "training"], [f"d{i}"]),
        ]  # fmt: skip
        x = f"d{i}"
    return Built(model=to_model(to_graph(nodes, [value("x", [rows, width])], [value(x, [rows, width])], weights), 15))


def _suppression(boxes: int, classes: int, found: int) -> Built:
    """The end of a detector: as many boxes are compared as have a score."""
    weights = {"most": np.array([100]), "iou": np.array([0.5], np.float32), "least": np.array([0.3], np.float32)}
    weights |= {"flat": np.array([boxes, 4]), "two": np.array([2])}
    nodes = [
        make_node("NonMaxSuppression", ["boxes", "scores", "most", "iou", "least"], ["chosen"]),
        make_node("Reshape", ["boxes", "flat"], ["rows"]), make_node("Gather", ["chosen", "two"], ["index"], axis=1),
        make_node("Gather", ["rows", "index"], ["y"]),
    ]  # fmt: skip
    rng = np.random.default_rng(1)
    scores = np.zeros((1, classes, boxes), np.float32)
    scores[0, rng.integers(0, classes, found), rng.integers(0, boxes, found)] = 0.9
    corners = rng.uniform(0, 600, (boxes, 2)).astype(np.float32)
    feeds = {"boxes": np.concatenate([corners, corners + 40], 1)[None], "scores": scores}
    inputs = [value("boxes", [1, boxes, 4]), value("scores", [1, classes, boxes])]
    return Built(model=to_model(to_graph(nodes, inputs, [value("y", ["found", 1, 4])], weights)), feeds=feeds)


def _sequence(parts: int, rows: int, width: int) -> Built:
    """Rows are split into a sequence, its elements joined again, and multiplied."""
    weights = {"sizes": np.array(rows // parts), "w0": normal(width, width), "w1": normal(width, width)}
    nodes = [
        make_node("MatMul", ["x", "w0"], ["a"]), make_node("SplitToSequence", ["a", "sizes"], ["s"], axis=0),
        make_node("ConcatFromSequence", ["s"], ["b"], axis=0), make_node("MatMul", ["b", "w1"], ["c"]),
        make_node("Relu", ["c"], ["y"]),
    ]  # fmt: skip
    return Built(model=to_model(to_graph(nodes, [value("x", [rows, width])], [value("y", [rows, width])], weights)))


def _four_bits(layers: int, rows: int, width: int, hidden: int) -> Built:
    """A feed-forward network whose weights are blocks of 4 bits, as opset 21 has them."""
    nodes, tensors, x, block = [], [], "x", 32
    for i in range(layers):
        for name, (depth, columns) in {"up": (width, hidden), "down": (hidden, width)}.items():
            packed = np.random.default_rng(i).integers(0, 256, depth * columns // 2, dtype=np.uint8)
            scale = np.full((depth // block, columns), 0.01, np.float32)
            tensors += [
                make_tensor(f"{name}{i}", TensorProto.INT4, [depth, columns], packed.tobytes(), raw=True),
                make_tensor(f"{name}_scale{i}", TensorProto.FLOAT, scale.shape, scale.tobytes(), raw=True),
            ]
        nodes += [
            make_node("DequantizeLinear", [f"up{i}", f"up_scale{i}"], [f"up_w{i}"], axis=0, block_size=block),
            make_node("MatMul", [x, f"up_w{i}"], [f"u{i}"]), make_node("Sigmoid", [f"u{i}"], [f"s{i}"]),
            make_node("Mul", [f"u{i}", f"s{i}"], [f"a{i}"]),
            make_node("DequantizeLinear", [f"down{i}", f"down_scale{i}"], [f"down_w{i}"], axis=0, block_size=block),
            make_node("MatMul", [f"a{i}", f"down_w{i}"], [f"d{i}"]), make_node("Add", [x, f"d{i}"], [f"y{i}"]),
        ]  # fmt: skip
        x = f"y{i}"
    graph = to_graph(nodes, [value("x", [rows, width])], [value(x, [rows, width])])
    graph.initializer.extend(tensors)
    return Built(model=to_model(graph, 21))


NETWORKS: Mapping[str, Builder] = reseeded(
    {
        "normalisation-in-training": lambda: _normalised(8, 48, 40, training=True),
        "dropout-in-training": lambda: _dropout(6, 64, 512),
        "suppression-few": lambda: _suppression(1500, 10, 60),
        "suppression-many": lambda: _suppression(1500, 10, 6000),
        "sequences": lambda: _sequence(4, 64, 512),
        "four-bit-blocks": lambda: _four_bits(3, 1, 512, 1536),
        "four-bit-blocks-16": lambda: _four_bits(2, 16, 512, 1536),
    }
)
