"""Kinds and shipped artifacts are found by name."""

from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from latcast.schema import ArtifactError, UnknownNameError
from predictors import registry
from predictors.artifact import Artifact
from predictors.data.measured import read_targets
from predictors.kinds.flops import FlopsPredictor
from predictors.registry import load_predictor, predictor_class, predictor_kinds, pretrained
from predictors.testing.workload import default_workload
from profilers.host.device import describe_device
from profilers.host.fingerprint import former_fingerprint


def test_kinds_are_what_their_classes_say() -> None:
    assert {"flops", "boosted_trees"} <= set(predictor_kinds())
    for kind in ("flops", "boosted_trees"):
        assert predictor_class(kind).kind == kind


def test_unknown_kinds_get_a_hint() -> None:
    with pytest.raises(UnknownNameError, match="Did you mean 'flops'"):
        predictor_class("flop")


def test_an_artifact_finds_its_class(tmp_path: Path) -> None:
    data = default_workload()
    fitted = FlopsPredictor(folds=3, seed=2).fit(data.support)
    path = fitted.to_artifact().save(tmp_path / "flops.safetensors")
    for source in (path, str(path), Artifact.load(path)):
        loaded = load_predictor(source)
        assert isinstance(loaded, FlopsPredictor)
        assert loaded.hyperparameters() == {"folds": 3, "seed": 2}


def test_the_shipped_targets_are_those_of_the_data_set_and_never_this_machine() -> None:
    """An image that was started on another host once counted as the machine of training."""
    measured = read_targets(Path(__file__).parents[2] / "benchmarks" / "data")
    artifact = pretrained("universal-graphs").to_artifact()
    trained_on = {one.target.id for one in measured}
    assert set(artifact.vocabulary["targets"]) == set(artifact.vocabulary["trained_on"]) == trained_on
    fingerprints = {one.device.fingerprint for one in measured}
    assert fingerprints.isdisjoint((describe_device().fingerprint, former_fingerprint()))
    for one in measured:
        for mine in (describe_device().fingerprint, former_fingerprint()):
            assert replace(one.target, device=mine).id not in trained_on


def test_artifacts_of_missing_kinds_are_refused() -> None:
    artifact = Artifact(kind="crystal_ball", hyperparameters={}, arrays={"x": np.zeros(1)})
    with pytest.raises(ArtifactError, match="crystal_ball"):
        load_predictor(artifact)


def test_artifacts_that_are_not_what_their_kind_stores_are_refused() -> None:
    artifact = FlopsPredictor().fit(default_workload().support).to_artifact()
    broken = [
        replace(artifact, vocabulary={}),
        replace(artifact, vocabulary={**artifact.vocabulary, "operators": {"Conv": 3}}),
        replace(artifact, hyperparameters={"depth": 3}),
        replace(artifact, arrays={**artifact.arrays, "hierarchy.mean": np.zeros((2, 2))}),
        replace(artifact, feature_version="flat-0"),
    ]
    for item in broken:
        with pytest.raises(ArtifactError):
            load_predictor(item)


def test_pretrained_predictors_are_found_by_name(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(registry, "_PRETRAINED", tmp_path)
    with pytest.raises(UnknownNameError, match="Known: none"):
        pretrained("flops-base")
    FlopsPredictor().fit(default_workload().support).to_artifact().save(tmp_path / "flops-base.safetensors")
    assert pretrained("flops-base").kind == "flops"
    with pytest.raises(UnknownNameError, match="Did you mean 'flops-base'"):
        pretrained("flops-bass")
    with pytest.raises(UnknownNameError):
        pretrained("../flops-base")


def test_shipped_artifacts_load_and_have_a_card() -> None:
    for name in registry.pretrained_names():
        assert pretrained(name).kind in predictor_kinds()
        assert (registry._PRETRAINED / f"{name}.md").read_text(encoding="utf-8").startswith(f"# {name}\n")
