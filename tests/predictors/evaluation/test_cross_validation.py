"""Figures of held-out networks, and how they travel in an artifact."""

import json

import numpy as np
import pytest

from latcast.schema import InputError, UnknownNameError
from predictors.artifact import Artifact
from predictors.base import LatencyDataset
from predictors.data.splits import dataset_digest
from predictors.evaluation.cross_validation import cross_validate, train
from predictors.registry import load_predictor
from predictors.testing.workload import default_workload


@pytest.fixture(scope="module")
def data() -> LatencyDataset:
    whole = default_workload().train
    return whole.subset([row for rows in whole.targets().values() for row in rows[:60]])


def test_figures_travel_in_the_artifact(data: LatencyDataset) -> None:
    predictor = train("flops", data, seed=3, hyperparameters={"folds": 4})
    artifact = Artifact.from_bytes(predictor.to_artifact().to_bytes())
    assert artifact.dataset_digest == dataset_digest(data)
    assert artifact.hyperparameters == {"folds": 4}
    assert artifact.seed == 3
    assert artifact.metrics["rows"] == 180
    assert artifact.metrics["networks"] == 60
    assert artifact.metrics["fit_s"] > 0
    assert artifact.metrics["cross_validation"]["spearman"] > 0.9
    assert set(artifact.metrics["targets"]) == set(data.targets())
    assert load_predictor(artifact).to_artifact().metrics == artifact.metrics


def test_figures_are_of_networks_that_were_not_seen(data: LatencyDataset) -> None:
    result = cross_validate("flops", data, {}, seed=1)
    whole = result["cross_validation"]
    assert whole["rows"] == 180
    assert 0.8 <= whole["interval_coverage"] <= 0.98
    memory = default_workload().train
    repeated = memory.subset(list(range(20)) * 3)
    leaky = cross_validate("flops", repeated, {}, seed=1)["cross_validation"]
    assert leaky["rows"] == 60  # copies of one network stay on one side, so they are no easier
    assert leaky["median_ape"] > 0.02


def test_groups_may_be_given(data: LatencyDataset) -> None:
    groups = ["wide" if query.graph.flops > 10**8 else "narrow" for query in data.queries]
    by_network = cross_validate("flops", data, {}, seed=1)["cross_validation"]
    by_family = cross_validate("flops", data, {}, seed=1, groups=groups)["cross_validation"]
    assert by_family["median_ape"] > by_network["median_ape"]


def test_progress_goes_from_nothing_to_all(data: LatencyDataset) -> None:
    reports: list[tuple[float, str]] = []
    train("boosted_trees", data, hyperparameters={"trees": 5}, folds=2, progress=lambda *said: reports.append(said))
    shares = [share for share, _ in reports]
    assert shares == sorted(shares)
    assert shares[-1] == 1.0
    assert len(reports) > 10


def test_cross_validation_can_be_left_out(data: LatencyDataset) -> None:
    predictor = train("flops", data, folds=0)
    assert "cross_validation" not in predictor.provenance_.metrics
    assert predictor.provenance_.dataset_digest == dataset_digest(data)


def test_one_network_yields_no_figures(data: LatencyDataset) -> None:
    rows = [i for i, query in enumerate(data.queries) if query.graph.hash == data.queries[0].graph.hash]
    metrics = train("flops", data.subset(rows)).provenance_.metrics
    assert "cross_validation" not in metrics
    json.dumps(dict(metrics), allow_nan=False)


def test_mistakes_are_named(data: LatencyDataset) -> None:
    with pytest.raises(UnknownNameError, match="flops"):
        train("flop", data)
    with pytest.raises(InputError, match="it has folds"):
        train("flops", data, hyperparameters={"depth": 3})
    with pytest.raises(InputError):
        train("flops", data.subset([]))


def test_same_seed_same_figures(data: LatencyDataset) -> None:
    first, second = (cross_validate("boosted_trees", data, {"trees": 5}, seed=2, folds=2) for _ in range(2))
    assert first == second
    assert np.isfinite(first["cross_validation"]["median_ape"])
