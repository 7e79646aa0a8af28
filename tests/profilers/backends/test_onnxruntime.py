"""What is particular to ONNX Runtime."""

from pathlib import Path

import onnx
import pytest

from latcast.schema import InvalidModelError, ProfileSettings
from profilers.backends.onnxruntime import OnnxRuntimeBackend
from profilers.feeds import feed_specs, make_feeds
from profilers.onnx_graph import load_graph
from profilers.testing.backends import BackendSuite

LIGHT = Path(onnx.__file__).parent / "backend/test/data/light"


class TestOnnxRuntime(BackendSuite):
    backend = OnnxRuntimeBackend()


def test_levels_of_optimisation_fuse_differently() -> None:
    model = (LIGHT / "light_squeezenet.onnx").read_bytes()
    feeds = make_feeds(feed_specs(load_graph(model)))
    counts = []
    for level in ("disabled", "extended"):
        with OnnxRuntimeBackend().open(model, ProfileSettings(options={"optimisation": level})) as session:
            counts.append(len(session.kernels(feeds)))
    assert counts[0] > counts[1]


def test_the_runtimes_words_come_without_its_codes() -> None:
    with pytest.raises(InvalidModelError, match="refuses the model: Failed to load model"):
        OnnxRuntimeBackend().open(b"garbage", ProfileSettings()).__enter__()
