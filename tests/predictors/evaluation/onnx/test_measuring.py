"""Measurements are journalled when they succeed, and evidence is measured for predictors that use it."""

from collections.abc import Sequence
from pathlib import Path
from typing import Any

import pytest

from latcast.schema import Failure, LatcastError, Measurement, Microbench, ProcessRun
from predictors.base import Capabilities
from predictors.evaluation.journal import Journal
from predictors.evaluation.onnx import ManifestEntry, Model, careful_settings, measure_evidence, measure_once, measuring
from predictors.evaluation.onnx.manifest import FailedModel
from predictors.kinds.flops import FlopsPredictor
from predictors.testing import foreign_graph
from profilers.backends.target_settings import target_for
from tests.predictors.data.measured.campaigns import DEVICE

SETTINGS = careful_settings(backend="fake", precision="fp32", threads=1, seconds=2.0, timeout_s=30.0)


@pytest.fixture
def model(tmp_path: Path) -> Model:
    path = tmp_path / "m.onnx"
    path.write_bytes(b"model")
    return Model(entry=ManifestEntry(name="m", onnx=path), graph=foreign_graph(), shapes={}, feeds=None, digest="d")


class Runtime:
    """Stands for the sandbox: succeeds, fails at a stage, or raises, in this order."""

    def __init__(self, outcomes: Sequence[str | Exception | None]) -> None:
        self._outcomes, self.contents = list(outcomes), list[bytes]()

    def measure(self, content: bytes, **more: Any) -> Measurement:
        self.contents.append(content)
        outcome = self._outcomes.pop(0)
        if isinstance(outcome, Exception):
            raise outcome
        return Measurement(
            graph=more["graph"].hash,
            target=target_for(DEVICE, SETTINGS),
            settings=SETTINGS,
            runs=() if outcome else (ProcessRun(samples_ms=(1.0, 2.0, 3.0)),),
            failure=Failure(stage=outcome, message="It broke.") if outcome else None,
        )


def runtime(monkeypatch: pytest.MonkeyPatch, *outcomes: str | Exception | None) -> Runtime:
    stand_in = Runtime(outcomes)
    monkeypatch.setattr(measuring, "measure", stand_in.measure)
    return stand_in


def once(model: Model, journal: Journal, occasion: int = 0) -> Measurement | FailedModel:
    return measure_once(model, device=DEVICE, settings=SETTINGS, journal=journal, occasion=occasion)


def test_the_time_is_shared_by_two_processes() -> None:
    assert (SETTINGS.processes, SETTINGS.max_seconds, SETTINGS.timeout_s) == (2, 1.0, 30.0)
    assert SETTINGS.warmup_seconds <= SETTINGS.max_seconds
    brief = careful_settings(backend="fake", precision="fp32", threads=1, seconds=0.01, timeout_s=30.0)
    assert brief.warmup_seconds <= brief.max_seconds == 0.005


def test_a_measurement_is_taken_once_for_each_occasion(model: Model, monkeypatch: pytest.MonkeyPatch) -> None:
    stand_in, journal = runtime(monkeypatch, None, None), Journal(None)
    first, again = once(model, journal), once(model, journal)
    assert isinstance(first, Measurement)
    assert first == again
    once(model, journal, occasion=1)
    assert len(stand_in.contents) == 2


def test_failures_are_named_and_not_journalled(model: Model, monkeypatch: pytest.MonkeyPatch) -> None:
    runtime(monkeypatch, "run", OSError("No space."), None)
    journal = Journal(None)
    assert once(model, journal) == FailedModel(name="m", stage="measure", message="It broke. (stage: run)")
    assert once(model, journal) == FailedModel(name="m", stage="measure", message="No space. (stage: internal)")
    assert len(journal) == 0
    assert isinstance(once(model, journal), Measurement)


def test_entries_that_cannot_be_restored_are_measured_again(model: Model, monkeypatch: pytest.MonkeyPatch) -> None:
    stand_in, journal = runtime(monkeypatch, None), Journal(None)
    for stored in ("text", {}, {"measurement": {"graph": 3}}):
        monkeypatch.setattr(journal, "get", lambda key, stored=stored: stored)
        stand_in._outcomes = [None]
        assert isinstance(once(model, journal), Measurement)


class Describing(FlopsPredictor):
    """Uses microbenchmarks where there are some."""

    capabilities = Capabilities(inputs=frozenset({"graph"}), useful_evidence=frozenset({"microbench"}))


class Demanding(FlopsPredictor):
    """Cannot be adapted without microbenchmarks."""

    capabilities = Capabilities(inputs=frozenset({"graph"}), evidence=frozenset({"microbench"}))


def test_evidence_is_measured_once_and_only_where_it_is_used(monkeypatch: pytest.MonkeyPatch) -> None:
    calls: list[int] = []

    def probe(settings: Any, *, device: Any) -> Microbench:
        calls.append(1)
        return Microbench(target=target_for(device, settings), values={"gemm_ms": 0.5})

    monkeypatch.setattr(measuring, "run_microbench", probe)
    journal = Journal(None)
    assert measure_evidence(FlopsPredictor(), device=DEVICE, settings=SETTINGS, journal=journal) is None
    for predictor in (Describing(), Demanding()):
        evidence = measure_evidence(predictor, device=DEVICE, settings=SETTINGS, journal=journal)
        assert evidence is not None
        assert evidence.microbench == {"gemm_ms": 0.5}
    assert calls == [1]


def test_evidence_that_cannot_be_measured_ends_only_what_needs_it(monkeypatch: pytest.MonkeyPatch) -> None:
    def broken(settings: Any, *, device: Any) -> Microbench:
        raise LatcastError("No such runtime.")

    monkeypatch.setattr(measuring, "run_microbench", broken)
    assert measure_evidence(Describing(), device=DEVICE, settings=SETTINGS, journal=Journal(None)) is None
    with pytest.raises(LatcastError, match="No such runtime"):
        measure_evidence(Demanding(), device=DEVICE, settings=SETTINGS, journal=Journal(None))
