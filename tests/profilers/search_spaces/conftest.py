"""Networks of one input, written and run."""

from collections.abc import Callable

import numpy as np
import pytest

from profilers.onnx_graph import load_graph, refill_weights
from profilers.search_spaces.builder import GraphBuilder, Style, Tensor
from profilers.testing.search_spaces import run_once

Write = Callable[[GraphBuilder, Tensor], Tensor]


@pytest.fixture
def written() -> Callable[..., bytes]:
    def write_model(write: Write, shape: tuple[int, ...], **style: object) -> bytes:
        net = GraphBuilder("test", Style(**style))  # type: ignore[arg-type]
        net.output(write(net, net.input("x", shape)))
        return net.to_bytes()

    return write_model


@pytest.fixture
def outputs(written: Callable[..., bytes]) -> Callable[..., np.ndarray]:
    """What a network of one input computes from the suite's fixed feeds."""

    def compute(write: Write, shape: tuple[int, ...], **style: object) -> np.ndarray:
        model = written(write, shape, **style)
        (result,) = run_once(refill_weights(model, 0), load_graph(model)).values()
        return result

    return compute
