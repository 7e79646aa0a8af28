"""Figures of held-out networks and targets, how they travel in an artifact, and how another process goes on."""

import json
from dataclasses import replace
from typing import Any

import numpy as np
import pytest

from latcast.schema import InputError, UnknownNameError
from predictors.artifact import Artifact
from predictors.base import LatencyDataset
from predictors.data.splits import dataset_digest
from predictors.evaluation.cross_validation import SAMPLES, Plan, cross_validate, train
from predictors.registry import load_predictor
from predictors.testing.workload import default_workload
from tests.predictors.evaluation.kept import Kept


@pytest.fixture(scope="module")
def data() -> LatencyDataset:
    whole = default_workload().train
    return whole.subset([row for rows in whole.targets().values() for row in rows[:60]])


def figures(data: LatencyDataset, kind: str = "flops", **options: Any) -> dict[str, Any]:
    return cross_validate(Plan(kind=kind, seed=1, **options), data)[2]


def test_figures_travel_in_the_artifact(data: LatencyDataset) -> None:
    predictor = train(Plan(kind="flops", seed=3, hyperparameters={"folds": 4}), data).predictor
    artifact = Artifact.from_bytes(predictor.to_artifact().to_bytes())
    assert artifact.dataset_digest == dataset_digest(data)
    assert artifact.hyperparameters == {"folds": 4}
    assert artifact.seed == 3
    assert artifact.metrics["rows"] == 180
    assert artifact.metrics["networks"] == 60
    assert artifact.metrics["fit_s"] > 0
    assert artifact.metrics["cross_validation"]["spearman"] > 0.9
    assert artifact.metrics["cross_validation"]["folds"] == 5
    assert 0 < artifact.metrics["cross_validation"]["spread"]["median_ape"] < 0.2
    assert set(artifact.metrics["targets"]) == set(data.targets())
    assert load_predictor(artifact).to_artifact().metrics == artifact.metrics


def test_the_order_of_networks_is_judged_within_each_target(data: LatencyDataset) -> None:
    """A forecast that tells fast targets from slow ones, and nothing of networks, has no rank correlation."""
    rows = [row for each in data.targets().values() for row in each[:20]]
    apart = data.subset(rows)
    scale = np.repeat([1.0, 100.0, 10_000.0], 20)
    apart = replace(apart, latency_ms=scale * np.random.default_rng(0).permutation(np.tile(np.linspace(1, 2, 20), 3)))
    found = figures(apart)
    by_target = [each["spearman"] for each in found["targets"].values()]
    assert found["cross_validation"]["spearman"] == pytest.approx(np.mean(by_target))
    assert abs(found["cross_validation"]["spearman"]) < 0.5
    assert found["cross_validation"]["kendall"] == pytest.approx(
        np.mean([each["kendall"] for each in found["targets"].values()])
    )


@pytest.mark.slow
def test_figures_are_of_networks_that_were_not_seen(data: LatencyDataset) -> None:
    whole = figures(data)["cross_validation"]
    assert whole["rows"] == 180
    assert 0.8 <= whole["interval_coverage"] <= 0.98
    memory = default_workload().train
    leaky = figures(memory.subset(list(range(20)) * 3))["cross_validation"]
    assert leaky["rows"] == 60  # copies of one network stay on one side, so they are no easier
    assert leaky["median_ape"] > 0.02


@pytest.mark.slow
def test_groups_may_be_given(data: LatencyDataset) -> None:
    groups = ["wide" if query.graph.flops > 10**8 else "narrow" for query in data.queries]
    by_family = figures(data, groups=groups, families=groups)
    assert by_family["cross_validation"]["median_ape"] > figures(data)["cross_validation"]["median_ape"]
    assert sorted(by_family["families"]) == ["narrow", "wide"]
    assert sum(each["rows"] for each in by_family["families"].values()) == 180


def test_held_out_targets_are_adapted_to_ten_rows_that_do_not_count(data: LatencyDataset) -> None:
    networks, targets, found = cross_validate(Plan(kind="flops", folds=0, target_folds=5), data)
    assert networks is None
    assert targets is not None
    assert found["held_out_targets"]["rows"] == 180 - 3 * SAMPLES == len(targets.rows)
    assert set(found["held_out_targets"]["targets"]) == set(data.targets())
    assert 0 < found["held_out_targets"]["median_ape"] < 0.5
    two = data.subset([row for rows in list(data.targets().values())[:2] for row in rows])
    assert figures(two, folds=0, target_folds=5) == {}, "one target would stand for all others"


def test_progress_goes_from_nothing_to_all(data: LatencyDataset) -> None:
    reports: list[tuple[float, str]] = []
    plan = Plan(kind="boosted_trees", hyperparameters={"trees": 5}, folds=2)
    train(plan, data, progress=lambda *said: reports.append(said))
    shares = [share for share, _ in reports]
    assert shares == sorted(shares)
    assert shares[-1] == 1.0
    assert len(reports) > 10
    assert reports[0][1].startswith("fold 1 of 2 by networks: ")


@pytest.mark.slow
def test_folds_that_are_done_are_not_done_again(data: LatencyDataset) -> None:
    plan, kept = Plan(kind="flops", folds=3, target_folds=3), Kept()
    first = cross_validate(plan, data, checkpoints=kept)
    assert sorted(kept) == ["networks-0", "networks-1", "networks-2", "targets-0", "targets-1", "targets-2"]
    said: list[str] = []
    again = cross_validate(plan, data, checkpoints=kept, progress=lambda _share, what: said.append(what))
    assert again[2] == first[2]
    assert said == []


def test_cross_validation_can_be_left_out(data: LatencyDataset) -> None:
    trained = train(Plan(kind="flops", folds=0), data)
    assert trained.networks is trained.targets is None
    assert "cross_validation" not in trained.predictor.provenance_.metrics
    assert trained.predictor.provenance_.dataset_digest == dataset_digest(data)


def test_one_network_yields_no_figures(data: LatencyDataset) -> None:
    rows = [i for i, query in enumerate(data.queries) if query.graph.hash == data.queries[0].graph.hash]
    metrics = train(Plan(kind="flops"), data.subset(rows)).predictor.provenance_.metrics
    assert "cross_validation" not in metrics
    json.dumps(dict(metrics), allow_nan=False)


def test_mistakes_are_named(data: LatencyDataset) -> None:
    with pytest.raises(UnknownNameError, match="flops"):
        train(Plan(kind="flop"), data)
    with pytest.raises(UnknownNameError, match="Known: folds"):
        train(Plan(kind="flops", hyperparameters={"depth": 3}), data)
    with pytest.raises(InputError):
        train(Plan(kind="flops"), data.subset([]))


@pytest.mark.slow
def test_same_seed_same_figures(data: LatencyDataset) -> None:
    options = {"kind": "boosted_trees", "hyperparameters": {"trees": 5}, "folds": 2}
    first, second = (figures(data, **options) for _ in range(2))
    assert first == second
    assert np.isfinite(first["cross_validation"]["median_ape"])
