"""Different large models, one after the other: the server keeps little of each."""

from pathlib import Path

import numpy as np
import pytest
from onnx import helper, numpy_helper

from tests.hostile.models.corpus import forecast
from tests.hostile.models.parts import model
from tests.hostile.served import MIB, Served

CACHE_MIB, NODES, MODELS = 8, 12_000, 10
MOST_MIB = 45


def chain(number: int) -> bytes:
    """A chain of products that has no kernel in common with those of other numbers."""
    size = 3 + number
    nodes = [helper.make_node("MatMul", [f"t{at}" if at else "x", "w"], [f"t{at + 1}"]) for at in range(NODES)]
    weights = [numpy_helper.from_array(np.eye(size, dtype=np.float32), "w")]
    made = model(nodes, shape=(2, size), outputs=[f"t{NODES}"], constants=weights)
    return bytes(made.SerializeToString())


@pytest.mark.slow
def test_many_large_models_leave_little_in_the_server(tmp_path: Path) -> None:
    """Ten of them were kept as objects, at seven MiB each, whatever the cache was to hold."""
    with Served(tmp_path, environment={"LATCAST_CACHE_BYTES": str(CACHE_MIB * MIB)}) as served:
        for number in (0, 1):  # what the first ones leave is there in any case
            assert forecast(served, chain(number)).status == 200
        served.memory.begin()
        before = served.memory.server_mib
        for number in range(2, 2 + MODELS):
            answer = forecast(served, chain(number))
            assert answer.sentence == ""
        served.memory.look()
        assert served.memory.begin() - before <= MOST_MIB
        served.require_alive()
