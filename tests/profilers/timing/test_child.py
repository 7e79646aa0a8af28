"""What the process of one measurement does with its folder."""

import gc
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from latcast.schema import Failure, FeedSpec, ProfileSettings
from profilers.feeds import feed_specs
from profilers.onnx_graph import load_graph, refill_weights, strip_weights
from profilers.testing.backends import small_models
from profilers.timing.child import FEEDS_FILE, MODEL_FILE, SENTINEL_FILE, ProfileAnswer, ProfileRequest, answer
from profilers.timing.sentinel import sentinel_model

SETTINGS = ProfileSettings(backend="fake", max_seconds=0.01, warmup_seconds=0.01, options={"latency_us": "10"})
_, SPEC, PROTO = next(small_models())
MODEL = PROTO.SerializeToString()


@pytest.fixture(autouse=True)
def collecting() -> Iterator[None]:
    """Measuring turns the garbage collection off."""
    yield
    gc.enable()


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    (tmp_path / MODEL_FILE).write_bytes(MODEL)
    (tmp_path / SENTINEL_FILE).write_bytes(sentinel_model())
    return tmp_path


def test_a_profile_has_a_run_between_two_readings_of_the_sentinel(folder: Path) -> None:
    said = answer(ProfileRequest(task="profile", settings=SETTINGS, feeds=(SPEC,), producers={"y": 3}), folder)
    assert isinstance(said, ProfileAnswer)
    assert said.run is not None
    assert said.run.samples_ms
    assert len(said.sentinel_ms) == 2
    assert 3 in {kernel.node for kernel in said.run.kernels or ()}


def test_without_a_sentinel_there_are_no_readings(folder: Path) -> None:
    said = answer(ProfileRequest(task="profile", settings=replace(SETTINGS, sentinel=False), feeds=(SPEC,)), folder)
    assert isinstance(said, ProfileAnswer)
    assert said.sentinel_ms == ()


def test_a_preparation_fills_weights_in_and_quantises(folder: Path) -> None:
    (folder / MODEL_FILE).write_bytes(strip_weights(MODEL))
    answered = answer(ProfileRequest(task="prepare", settings=replace(SETTINGS, seed=5), feeds=(SPEC,)), folder)
    assert answered == ProfileAnswer()
    assert (folder / MODEL_FILE).read_bytes() == refill_weights(strip_weights(MODEL), 5)
    eight_bits = ProfileSettings(precision="int8_dynamic")
    answered = answer(ProfileRequest(task="prepare", settings=eight_bits, feeds=feed_specs(load_graph(MODEL))), folder)
    assert answered == ProfileAnswer()
    assert b"latcast:precision" in (folder / MODEL_FILE).read_bytes()
    assert b"latcast:precision" in (folder / SENTINEL_FILE).read_bytes()


@pytest.mark.parametrize(("task", "stage"), [("profile", "feeds"), ("prepare", "load")])
def test_what_is_raised_is_a_failure_with_its_stage(folder: Path, task: str, stage: str) -> None:
    if task == "prepare":
        (folder / MODEL_FILE).write_bytes(b"not a model")
    feeds = (FeedSpec(name="x", dtype="complex64", shape=(1,)),)
    said = answer(ProfileRequest(task=task, settings=SETTINGS, feeds=feeds), folder)
    assert isinstance(said, Failure)
    assert said.stage == stage


def test_arrays_in_the_folder_are_what_goes_in(folder: Path) -> None:
    np.savez(folder / FEEDS_FILE, wrong=np.zeros(3, np.float32))
    settings = ProfileSettings(sentinel=False)
    said = answer(ProfileRequest(task="profile", settings=settings), folder)
    assert isinstance(said, Failure)
    assert "wrong" in said.message or "x" in said.message
