"""Columns of a target that no database has."""

import numpy as np

from service.measurements.columns import WORDS, Networks, TargetColumns


def made(ms: list[float], *, noisy: list[bool] | None = None) -> TargetColumns:
    """A row for each latency (NaN is a failure), of two networks in turn, the second with ten times the work."""
    count = len(ms)
    networks = Networks(
        places={"g1-even": 0, "g1-odd": 1},
        flops=np.array([1e6, 1e7]),
        nodes=np.array([3.0, 4.0]),
        architectures=np.array([7, -1]),
        families=["zoo/mobile", ""],
        spaces=["zoo", ""],
        family=np.array([0, 1]),
        space=np.array([0, 1]),
        operators=["Conv", "Relu"],
        bits=np.array([[3] + [0] * (WORDS - 1), [2] + [0] * (WORDS - 1)], np.uint64),
    )
    return TargetColumns(
        target_id="t",
        ids=np.arange(10, 10 + count),
        ms=np.array(ms),
        noise=np.full(count, 0.02),
        sentinel_ms=np.linspace(1.0, 2.0, count),
        created=np.linspace(0.0, 600.0, count),
        noisy=np.array(noisy or [False] * count, bool),
        own_feeds=np.zeros(count, bool),
        with_kernels=np.zeros(count, bool),
        agent=(np.arange(count) // 2 % 3).astype(np.int32),
        agents=["one", "none", "another"],
        network=(np.arange(count) % 2).astype(np.int32),
        networks=networks,
        version=f"{count}",
    )
