"""The house predictor passes the suite on two search spaces, and is what it was fitted on."""

from dataclasses import replace
from typing import Any

import numpy as np
import pytest
from numpy.testing import assert_allclose, assert_array_equal

from predictors.base import LatencyDataset, Query
from predictors.evaluation.nas.execution import run_unit
from predictors.evaluation.nas.tasks import SUITES
from predictors.evaluation.nas.units import Contender, Unit
from predictors.data.splits import merge
from predictors.data.importers.help import read_table
from predictors.evaluation.metrics import interval_coverage, median_ape, spearman
from predictors.registry import load_predictor
from predictors.samplers.base import HasAdaptationFeatures
from predictors.samplers.variance import VarianceSampler
from predictors.testing import PredictorSuite
from predictors.testing.architectures import architecture_workload
from predictors.testing.workload import Workload, default_workload
from predictors.kinds.universal import UniversalPredictor
from predictors.kinds.universal.cells.predictor import CellPredictor
from predictors.kinds.universal.graphs.predictor import GraphPredictor
from latcast.schema import InputError, UnsupportedGraphError
from profilers.search_spaces.nasbench201 import NASBench201
from tests.predictors.tables import published_data


class TestUniversal(PredictorSuite):
    def make(self, **hyperparameters: Any) -> UniversalPredictor:
        return UniversalPredictor(**hyperparameters)

    def workload(self) -> Workload:
        return architecture_workload()


class TestUniversalOnChains(PredictorSuite):
    def make(self, **hyperparameters: Any) -> UniversalPredictor:
        return UniversalPredictor(**hyperparameters)

    def workload(self) -> Workload:
        return architecture_workload("fbnet", train=500)


@pytest.fixture(scope="module")
def fitted() -> UniversalPredictor:
    return UniversalPredictor().fit(architecture_workload("fbnet", train=60, held_out=40).train)


def _cells(count: int = 20) -> LatencyDataset:
    return architecture_workload().support.subset(range(count))


def test_another_space_is_refused(fitted: UniversalPredictor) -> None:
    with pytest.raises(UnsupportedGraphError, match=r"fitted on architectures of 'fbnet'.*of nasbench201"):
        fitted.predict(_cells().queries)
    with pytest.raises(UnsupportedGraphError):
        fitted.adapt(_cells().queries[0].target, _cells())
    with pytest.raises(UnsupportedGraphError):
        fitted.adaptation_features(_cells().queries)


def test_what_cannot_be_learned_from_is_refused() -> None:
    with pytest.raises(InputError, match="9 usable rows"):
        UniversalPredictor().fit(_cells(9))
    with pytest.raises(InputError, match="no rows"):
        UniversalPredictor().fit(_cells(0))


def test_both_predictors_are_learned_with_its_defaults() -> None:
    house = UniversalPredictor().hyperparameters()
    cells, graphs = CellPredictor().hyperparameters(), GraphPredictor().hyperparameters()
    assert house == {**cells, **graphs}


def test_cells_want_rows_of_one_space_that_they_know() -> None:
    graphs = default_workload().train.subset(range(12))
    with pytest.raises(InputError, match="one search space: nasbench201, fbnet"):
        CellPredictor().fit(graphs)


def test_one_source_suffices() -> None:
    data = architecture_workload()
    target, rows = next(iter(data.train.targets().items()))
    predictor = UniversalPredictor().fit(data.train.subset(rows))
    adapted = predictor.adapt(data.support.queries[0].target, data.support)
    prediction = adapted.predict(data.new_held_out.queries)
    assert isinstance(predictor.fitted, CellPredictor)
    assert predictor.fitted.targets_ == (target,)
    assert spearman(data.new_held_out.latency_ms, prediction.median_ms) > 0.9
    assert 0.8 < interval_coverage(data.new_held_out.latency_ms, *prediction.interval_ms(0.9)) <= 1


def test_any_number_of_measurements_adapts(fitted: UniversalPredictor) -> None:
    data = architecture_workload("fbnet", train=60, held_out=40)
    for k in (1, 2, 5):
        prediction = fitted.adapt(data.support.queries[0].target, data.support.subset(range(k))).predict(
            data.new_held_out.queries
        )
        assert prediction.log_std is not None
        assert np.isfinite(prediction.log_std).all()
        assert median_ape(data.new_held_out.latency_ms, prediction.median_ms) < 0.5


def test_without_transfer_the_sources_help_nothing(fitted: UniversalPredictor) -> None:
    data = architecture_workload("fbnet", train=60, held_out=40)
    alone = UniversalPredictor(transfer=False).fit(data.train)
    found = []
    for predictor in (fitted, alone):
        forecast = predictor.adapt(data.support.queries[0].target, data.support.subset(range(5)))
        found.append(spearman(data.new_held_out.latency_ms, forecast.predict(data.new_held_out.queries).median_ms))
    assert found[0] > found[1] + 0.05
    assert_array_equal(alone.predict(data.train.queries).median_ms, fitted.predict(data.train.queries).median_ms)


def test_degenerate_cells_do_not_spoil_an_adaptation() -> None:
    data = architecture_workload()
    predictor = UniversalPredictor().fit(data.train.subset(range(0, len(data.train), 4)))
    target = data.support.queries[0].target
    nothing = NASBench201().at(0)
    assert NASBench201().is_degenerate(nothing)
    folded = LatencyDataset(queries=[Query(target=target, architecture=nothing)], latency_ms=np.array([1e-6]))
    asked = data.new_held_out.queries
    expected = predictor.adapt(target, data.support).predict(asked).median_ms
    assert_array_equal(
        predictor.adapt(target, merge(folded, replace(data.support, noise_log=None))).predict(asked).median_ms, expected
    )
    assert np.isfinite(predictor.adapt(target, folded).predict(asked).median_ms).all()


def test_the_sampler_of_variance_asks_it(fitted: UniversalPredictor) -> None:
    data = architecture_workload("fbnet", train=60, held_out=40)
    candidates = data.new_held_out.queries
    features = fitted.adaptation_features(candidates)
    assert isinstance(fitted, HasAdaptationFeatures)
    assert features.shape[0] == len(candidates)
    assert isinstance(fitted.fitted, CellPredictor)
    prior = fitted.fitted.prior
    x = prior.centred([query.architecture.text for query in candidates if query.architecture])
    assert_allclose(features[:, 1:] @ features[:, 1:].T, x @ prior.covariance(fitted.design_unlike) @ x.T, atol=1e-6)
    chosen = VarianceSampler().choose(candidates, 8, predictor=fitted, rng=np.random.default_rng(0))
    assert len(set(chosen)) == 8


def test_capabilities_of_a_fitted_predictor_name_its_space(fitted: UniversalPredictor) -> None:
    assert len(UniversalPredictor.capabilities.spaces) > 1
    assert fitted.fitted_capabilities().spaces == ("fbnet",)
    assert load_predictor(fitted.to_artifact()).fitted_capabilities().spaces == ("fbnet",)


def test_an_artifact_does_not_grow_with_the_rows(fitted: UniversalPredictor) -> None:
    more = UniversalPredictor().fit(architecture_workload("fbnet", train=90, held_out=40).train)
    sizes = [{name: array.shape for name, array in item.to_artifact().arrays.items()} for item in (fitted, more)]
    assert sizes[0] == sizes[1]
    assert all(len(item.to_artifact().to_bytes()) < 5e6 for item in (fitted, more))


@pytest.mark.slow
def test_the_published_tables_are_forecast_as_well_as_documented() -> None:
    table = read_table(published_data(), "fbnet")
    task = next(item for item in SUITES["nasflat"] if item.name == "F2")
    unit = Unit(
        task=task, contender=Contender(kind="universal"), protocol="full", training=0, seeds=(0,),
        samplers=("variance",), shots=(20,), samples=900,
    )  # fmt: skip
    figures = run_unit(unit, published_data())
    assert len(table) == 5000
    assert np.mean([row["spearman"] for row in figures]) >= 0.92
    assert np.mean([row["median_ape"] for row in figures]) <= 0.02
