"""What the process of microbenchmarks times, and what a probe costs that cannot be timed."""

import gc
from collections.abc import Iterator, Mapping
from contextlib import ExitStack, contextmanager
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import onnx
import pytest

from latcast.schema import Availability, BackendUnavailableError, Failure, ProfileSettings, TensorSpec
from profilers.backends.base import Backend
from profilers.backends.fake import FakeBackend
from profilers.microbench import child
from profilers.microbench.child import ProbeAnswer
from profilers.microbench.probes import PROBES, probe_model
from profilers.onnx_graph import refill_weights
from profilers.timing.sentinel import sentinel_model

FAKE = ProfileSettings(backend="fake", options={"latency_us": "10"})


class Picky(FakeBackend):
    """Knows no Softmax, is slow with short chains, and wants no memory for long ones."""

    @contextmanager
    def open(self, model: bytes, settings: ProfileSettings) -> Iterator[Any]:
        nodes = onnx.load_model_from_string(model).graph.node
        if any(node.op_type == "Softmax" for node in nodes):
            raise NotImplementedError("Softmax")
        if len(nodes) > 40:
            raise MemoryError
        options = {"latency_us": "400000" if nodes[0].op_type == "MatMul" and len(nodes) == 1 else "10"}
        with super().open(model, replace(settings, options=options)) as session:
            yield session

    def probe(self) -> Availability:
        return Availability(ok=True)


def test_a_probe_that_fails_costs_itself_alone(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    answered = bench(Picky(), tmp_path, monkeypatch, ("softmax_12x128", "chain_short", "chain_long", "sigmoid_256k"))
    assert list(answered.samples_ms) == ["sigmoid_256k"]
    assert answered.missing["softmax_12x128"] == "NotImplementedError: Softmax"
    assert "too long" in answered.missing["chain_short"]
    assert "MemoryError" in answered.missing["chain_long"]
    assert not (tmp_path / child.OPENING_FILE).exists()


def test_what_comes_too_late_is_not_opened(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    answered = bench(FakeBackend(), tmp_path, monkeypatch, ("chain_short", "sigmoid_256k"), open_seconds=0.0)
    assert answered.samples_ms == {}
    assert all("all the time" in why for why in answered.missing.values())


def bench(
    backend: Backend, folder: Path, monkeypatch: pytest.MonkeyPatch, probes: tuple[str, ...], open_seconds: float = 30.0
) -> ProbeAnswer:
    models: Mapping[str, bytes] = {probe.name: probe_model(probe) for probe in PROBES if probe.name in probes}
    for name, model in models.items():
        (folder / f"{name}.onnx").write_bytes(refill_weights(model))
    (folder / "sentinel.onnx").write_bytes(sentinel_model())
    monkeypatch.setattr(child, "get_backend", lambda name: backend)
    request = child.ProbeRequest(task="time", settings=FAKE, probes=probes, seconds=0.01, open_seconds=open_seconds)
    try:
        answered = child.answer(request, folder)
        assert isinstance(answered, ProbeAnswer)
        return answered
    finally:
        gc.enable()


def test_feeds_have_memory_of_their_own_and_are_no_zeros() -> None:
    opened = child._Opened(ExitStack(), FakeBackend(), lambda: 0)
    values = opened._values(TensorSpec(name="x", dtype="float32", shape=(300, 1024)))
    assert values.shape == (300, 1024)
    assert values.dtype == np.float32
    assert np.count_nonzero(values) > 0.99 * values.size
    assert not np.array_equal(values[0], values[1])


def test_a_runtime_that_is_missing_is_a_failure(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def missing(name: str) -> Backend:
        raise BackendUnavailableError(f"{name} is not installed.")

    monkeypatch.setattr(child, "get_backend", missing)
    request = child.ProbeRequest(task="time", settings=FAKE, probes=(), seconds=0.01, open_seconds=0.01)
    assert child.answer(request, tmp_path) == Failure(stage="unavailable", message="fake is not installed.")
