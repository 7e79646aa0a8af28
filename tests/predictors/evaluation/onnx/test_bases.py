"""The predictor that a benchmark adapts is found by kind, by the name of a shipped artifact, or by file."""

from pathlib import Path

import pytest

from latcast.schema import ArtifactError, InputError, NotFittedError, UnknownNameError
from predictors.base import LatencyDataset
from predictors.evaluation.onnx.bases import DEFAULT_PREDICTOR, trained, untrained
from predictors.kinds.boosted_trees.predictor import BoostedTreesPredictor
from predictors.kinds.flops import FlopsPredictor
from predictors.registry import pretrained_names
from predictors.testing import default_workload


def no_data() -> LatencyDataset:
    raise AssertionError("what is finished needs no training set")


def test_a_kind_that_is_not_shipped_is_trained() -> None:
    predictor = trained("flops:folds=3", lambda: default_workload().support)
    assert isinstance(predictor, FlopsPredictor)
    assert predictor.hyperparameters()["folds"] == 3
    assert len(predictor.predict(default_workload().support.queries).median_ms) == len(default_workload().support)


def test_a_file_is_read(tmp_path: Path) -> None:
    path = FlopsPredictor(folds=3).fit(default_workload().support).to_artifact().save(tmp_path / "a.safetensors")
    assert trained(str(path), no_data).hyperparameters() == {"folds": 3, "seed": 0}
    path.write_bytes(b"nonsense")
    with pytest.raises(ArtifactError):
        trained(str(path), no_data)


def test_the_default_is_shipped() -> None:
    shipped = trained(DEFAULT_PREDICTOR, no_data)
    assert shipped.kind == "universal"
    assert shipped.hyperparameters() == trained("universal-graphs", no_data).hyperparameters()
    assert "universal-graphs" in pretrained_names()


def test_untrained_predictors_have_the_same_hyperparameters(tmp_path: Path) -> None:
    assert untrained("boosted_trees:trees=5").hyperparameters() == BoostedTreesPredictor(trees=5).hyperparameters()
    fitted = FlopsPredictor(folds=3).fit(default_workload().support)
    path = fitted.to_artifact().save(tmp_path / "a.safetensors")
    again = untrained(str(path))
    assert again.hyperparameters() == fitted.hyperparameters()
    with pytest.raises(NotFittedError):
        again.predict(default_workload().support.queries)


def test_names_and_hyperparameters_are_checked() -> None:
    with pytest.raises(UnknownNameError, match="flops"):
        trained("flop", no_data)
    with pytest.raises(UnknownNameError):
        trained("missing.safetensors", no_data)
    with pytest.raises(InputError, match="leaves"):
        untrained("flops:leaves=3")
