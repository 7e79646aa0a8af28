"""Manifests of real networks: every choice is named once, comes from a pinned wheel, and has its feeds beside it."""

import json
import zipfile
from pathlib import Path

import numpy as np

from benchmarks import real_models
from predictors.evaluation.onnx import read_manifest

CHOICES = list(real_models._choices())


def test_every_choice_is_named_once_and_of_a_pinned_wheel() -> None:
    assert len({choice.name for choice in CHOICES}) == len(CHOICES)
    wheels = dict(requirement.split("==") for requirement in real_models.WHEELS)
    assert {choice.wheel for choice in CHOICES} == set(wheels)
    for choice in CHOICES:
        assert not (choice.shapes and choice.feeds), "feeds determine the shapes"
        assert all(size > 0 for shape in choice.shapes.values() for size in shape)


def test_lines_are_a_manifest(tmp_path: Path) -> None:
    lines = [real_models._line(choice, tmp_path) for choice in CHOICES]
    real_models._write(tmp_path / "manifest.jsonl", lines)
    manifest = read_manifest(tmp_path / "manifest.jsonl")
    assert not manifest.failed
    assert [entry.name for entry in manifest.entries] == [choice.name for choice in CHOICES]
    for entry, choice in zip(manifest.entries, CHOICES, strict=True):
        assert (entry.feeds is not None) == bool(choice.feeds)
        if entry.feeds:
            with np.load(entry.feeds) as stored:
                assert {name: stored[name].shape for name in stored} == {n: a.shape for n, a in choice.feeds.items()}


def test_networks_are_taken_out_of_a_wheel_that_is_there(tmp_path: Path) -> None:
    wheel = tmp_path / "wheels" / "basic_pitch-0.4.0-py3-none-any.whl"
    wheel.parent.mkdir()
    with zipfile.ZipFile(wheel, "w") as archive:
        archive.writestr("basic_pitch/saved/nmp.onnx", b"model")
        archive.writestr("basic_pitch/__init__.py", b"")
        archive.writestr("../escape.onnx", b"other")
    real_models._fetch("basic-pitch==0.4.0", tmp_path)
    folder = tmp_path / "models" / "basic-pitch"
    assert sorted(path.name for path in folder.iterdir()) == ["escape.onnx", "nmp.onnx"]
    assert (folder / "nmp.onnx").read_bytes() == b"model"


def test_light_networks_are_those_of_the_onnx_package() -> None:
    lines = list(real_models._light())
    assert {"light_resnet50", "light_squeezenet"} <= {line["name"] for line in lines}
    assert all(Path(str(line["onnx"])).is_file() for line in json.loads(json.dumps(lines)))
