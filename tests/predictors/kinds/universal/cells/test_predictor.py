"""The predictor of cells keeps to its space, its artifact and its ablations."""

from dataclasses import replace

import numpy as np
import pytest
from numpy.testing import assert_array_equal

from latcast.schema import ArtifactError, InputError, NotFittedError
from predictors.kinds.universal.cells.predictor import CellPredictor
from predictors.testing.architectures import architecture_workload
from predictors.testing.workload import Workload


@pytest.fixture(scope="module")
def data() -> Workload:
    return architecture_workload("fbnet", train=60, held_out=40)


@pytest.fixture(scope="module")
def fitted(data: Workload) -> CellPredictor:
    return CellPredictor(members=16).fit(data.train)


def test_its_artifact_rebuilds_it_adapted_or_not(fitted: CellPredictor, data: Workload) -> None:
    adapted = fitted.adapt(data.support.queries[0].target, data.support)
    for predictor in (fitted, adapted):
        again = CellPredictor.from_artifact(predictor.to_artifact())
        expected = predictor.predict(data.new_held_out.queries)
        prediction = again.predict(data.new_held_out.queries)
        assert_array_equal(prediction.median_ms, expected.median_ms)
        assert prediction.tail_scale == expected.tail_scale


def test_an_artifact_of_an_unknown_space_is_refused(fitted: CellPredictor) -> None:
    artifact = fitted.to_artifact()
    with pytest.raises(ArtifactError, match="'darts', which is not known"):
        CellPredictor.from_artifact(replace(artifact, vocabulary={**artifact.vocabulary, "space": "darts"}))


def test_without_variance_all_forecasts_are_as_uncertain(data: Workload) -> None:
    plain = CellPredictor(members=16, variance=False).fit(data.train)
    target = data.support.queries[0].target
    spread = plain.adapt(target, data.support.subset(range(6))).predict(data.new_held_out.queries).log_std
    assert spread is not None
    assert np.ptp(spread) < 1e-12


def test_places_that_training_has_not_seen_lower_the_coverage(data: Workload) -> None:
    few = [rows[0] for rows in data.train.targets().values()]
    rows = [row for first in few for row in range(first, first + 10)]
    narrow = CellPredictor(members=8).fit(data.train.subset(rows))
    assert narrow.coverage(data.train.subset(rows).queries).min() == 1.0
    assert narrow.coverage(data.new_held_out.queries).min() < 1.0


def test_misuse_is_refused(fitted: CellPredictor, data: Workload) -> None:
    with pytest.raises(NotFittedError):
        CellPredictor().predict(data.support.queries)
    with pytest.raises(InputError, match="at least one measurement"):
        fitted.adapt(data.support.queries[0].target, data.support.subset([]))
