"""A small fixed network, measured before and after a model: when its latency moves, it was the host that changed."""

import time
from functools import cache
from statistics import median

import numpy as np

from latcast.schema import FeedSpec, ProfileSettings
from profilers.backends.base import Backend
from profilers.feeds import make_feeds
from profilers.timing.loop import Clock, take_sample

__all__ = ["DRIFT", "drift", "prepared_sentinel", "sentinel_latency_ms", "sentinel_model"]

DRIFT = 0.05
"""More than this share of change between before and after, and the host was not steady."""

CHANNELS, SIZE, CLASSES = 16, 32, 10
WARMUP_RUNS, RUNS = 8, 24
FEEDS = (FeedSpec(name="image", dtype="float32", shape=(1, CHANNELS, SIZE, SIZE)),)


@cache
def sentinel_model() -> bytes:
    """Three convolutions, a pooling and a classifier as ONNX; about 17 million MACs, a fraction of a millisecond."""
    from onnx import TensorProto, helper, numpy_helper

    rng = np.random.default_rng(0)
    shapes = {"w1": (32, CHANNELS, 3, 3), "w2": (32, 32, 3, 3), "w3": (32, 32, 1, 1), "w4": (32, CLASSES)}
    nodes = [
        helper.make_node("Conv", ["image", "w1"], ["c1"], pads=[1, 1, 1, 1]),
        helper.make_node("Relu", ["c1"], ["r1"]),
        helper.make_node("Conv", ["r1", "w2"], ["c2"], pads=[1, 1, 1, 1]),
        helper.make_node("Relu", ["c2"], ["r2"]),
        helper.make_node("Conv", ["r2", "w3"], ["c3"]),
        helper.make_node("GlobalAveragePool", ["c3"], ["pooled"]),
        helper.make_node("Flatten", ["pooled"], ["flat"]),
        helper.make_node("MatMul", ["flat", "w4"], ["scores"]),
    ]
    graph = helper.make_graph(
        nodes,
        "sentinel",
        [helper.make_tensor_value_info("image", TensorProto.FLOAT, FEEDS[0].shape)],
        [helper.make_tensor_value_info("scores", TensorProto.FLOAT, (1, CLASSES))],
        [numpy_helper.from_array(rng.normal(0, 0.1, size).astype("float32"), name) for name, size in shapes.items()],
    )
    model = helper.make_model(graph, opset_imports=[helper.make_opsetid("", 17)], ir_version=8)
    return bytes(model.SerializeToString())


@cache
def prepared_sentinel(model: bytes, backend: type[Backend], precision: str) -> bytes:
    """The sentinel as the backend wants it for the precision."""
    settings = ProfileSettings(backend=backend.name, precision=precision)
    return backend().prepare(model, settings, [make_feeds(FEEDS)])


def sentinel_latency_ms(
    model: bytes, backend: Backend, settings: ProfileSettings, *, clock: Clock = time.perf_counter_ns
) -> float:
    """Median latency of the sentinel in ms, on the target that is being measured."""
    feeds = make_feeds(FEEDS)
    with backend.open(prepared_sentinel(model, type(backend), settings.precision), settings) as session:
        samples = [take_sample(session, feeds, clock) for _ in range(WARMUP_RUNS + RUNS)]
    return median(samples[WARMUP_RUNS:])


def drift(before_ms: float, after_ms: float) -> float:
    """Share by which the slower reading exceeds the faster one."""
    slow, fast = max(before_ms, after_ms), min(before_ms, after_ms)
    return slow / fast - 1 if fast > 0 else 0.0
