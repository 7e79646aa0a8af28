"""The conformance suite; devices like no source, by 20 latencies with noise and by five."""

from functools import cache
from typing import Any

import numpy as np
import pytest

from latcast.schema import InputError, MissingEvidenceError, Target
from predictors.artifact import Artifact
from predictors.base import FloatArray, LatencyDataset, Query
from predictors.evaluation.metrics import interval_coverage, median_ape, spearman
from predictors.evaluation.nas.odd_devices import OddDevice, draw_devices
from predictors.kinds.operator_costs import OperatorCostsPredictor
from predictors.kinds.stack import StackPredictor
from predictors.kinds.stack.contest import Contender
from predictors.registry import load_predictor, pretrained
from predictors.samplers.base import get_sampler
from predictors.testing import PredictorSuite
from predictors.testing.architectures import architecture_workload
from predictors.testing.workload import Workload
from profilers.search_spaces import get_space

TARGET = Target(device="odd", backend="synthetic", backend_version="1")
SPACES = ("nasbench201", "fbnet")


class TestOnCells(PredictorSuite):
    min_spearman = 0.8

    def make(self, **hyperparameters: Any) -> OperatorCostsPredictor:
        return OperatorCostsPredictor(**hyperparameters)

    def workload(self) -> Workload:
        return architecture_workload()


@cache
def fitted(space: str) -> OperatorCostsPredictor:
    """On three devices whose operators cost about what one published phone's do."""
    rng, parts = np.random.default_rng(0), list[LatencyDataset]()
    for place in range(3):
        target = Target(device=f"source{place}", backend="synthetic", backend_version="1")
        queries = [query.on(target) for query in drawn(space, 150, 50 + place)]
        base = pretrained(f"universal-{space}").predict(queries).median_ms
        parts.append(LatencyDataset(queries=queries, latency_ms=(1 + place) * base * 1.02 ** rng.standard_normal(150)))
    data = LatencyDataset(
        queries=[query for part in parts for query in part.queries],
        latency_ms=np.concatenate([part.latency_ms for part in parts]),
    )
    return OperatorCostsPredictor().fit(data)


def drawn(space: str, count: int, seed: int) -> list[Query]:
    rng, named, found = np.random.default_rng(seed), get_space(space), dict[str, Query]()
    while len(found) < count:
        architecture = named.sample(rng)
        if not named.is_degenerate(architecture):
            found[architecture.text] = Query(target=TARGET, architecture=architecture)
    return list(found.values())


def latencies(device: OddDevice, queries: list[Query], rng: np.random.Generator) -> FloatArray:
    return device.latency_ms([query.architecture.text for query in queries if query.architecture], rng)


@cache
def chosen(space: str, shots: int) -> tuple[list[Query], list[Query]]:
    """Networks that are measured, as `universal` chooses them, and those that are forecast."""
    queries = drawn(space, 900, 3)
    house = pretrained(f"universal-{space}")
    rows = get_sampler("variance").choose(queries[:400], shots, predictor=house, rng=np.random.default_rng(1))
    return [queries[row] for row in rows], queries[400:]


@pytest.mark.parametrize("space", SPACES)
def test_odd_devices_with_noise_and_a_coarse_clock_are_told_better_than_by_universal(space: str) -> None:
    measured, asked = chosen(space, 20)
    house = pretrained(f"universal-{space}")
    both = StackPredictor.of(
        [
            Contender(name="house", predictor=house, record=0.03),
            Contender(name="costs", predictor=fitted(space), record=0.04),
        ]
    )
    figures = list[FloatArray]()
    for device in draw_devices(space, 4, seed=7, rounded=True, noise_log=0.02):
        # Together: a device's mean latency is that of the networks that are asked at once.
        noisy = latencies(device, [*measured, *asked], np.random.default_rng(int(device.costs[0] * 1e6)))
        support, truth = LatencyDataset(queries=measured, latency_ms=noisy[:20]), noisy[20:]
        forecasts = [one.adapt(TARGET, support).predict(asked) for one in (house, fitted(space), both)]
        figures.append(
            np.array([(spearman(truth, one.median_ms), median_ape(truth, one.median_ms)) for one in forecasts])
        )
    (house_rank, house_error), (rank, error), (both_rank, both_error) = np.mean(figures, axis=0)
    assert rank > house_rank
    assert error < house_error
    assert both_rank > house_rank, "the stack follows the evidence"
    assert both_error < house_error
    assert error < 0.025, "noise alone is 1.35 %"


def test_it_does_not_take_the_generators_formula_to_be_right() -> None:
    """Every block at every position costs up to a quarter more or less than by its work: it says how wrong it is."""
    measured, asked = chosen("fbnet", 20)
    queries = [*measured, *asked]
    hot = np.array([np.arange(22) * 9 + get_space("fbnet").choices(query.architecture) for query in queries
                    if query.architecture])  # fmt: skip
    coverage, errors = [], []
    for seed, device in enumerate(draw_devices("fbnet", 4, seed=11)):
        own = np.random.default_rng(seed).normal(0, 0.02, 22 * 9)
        exact = latencies(device, queries, np.random.default_rng(0)) * np.exp(own[hot].sum(axis=1))
        support = LatencyDataset(queries=measured, latency_ms=exact[:20])
        forecast = fitted("fbnet").adapt(TARGET, support).predict(asked)
        errors.append(median_ape(exact[20:], forecast.median_ms))
        coverage.append(interval_coverage(exact[20:], *forecast.interval_ms(0.9)))
    assert np.mean(errors) < 0.10
    assert np.mean(coverage) >= 0.75


@pytest.mark.parametrize("space", SPACES)
def test_five_latencies_of_an_odd_device_do_no_harm(space: str) -> None:
    """A device that is like the sources is forecast by what is usual, however few its latencies."""
    measured, asked = chosen(space, 5)
    base = pretrained(f"universal-{space}").predict([*measured, *asked]).median_ms * 3.0
    support = LatencyDataset(queries=measured, latency_ms=base[:5])
    forecast = fitted(space).adapt(TARGET, support).predict(asked)
    assert median_ape(base[5:], forecast.median_ms) < 0.06
    assert spearman(base[5:], forecast.median_ms) > 0.9


def test_an_adapted_artifact_answers_the_same_and_keeps_its_intervals() -> None:
    measured, asked = chosen("fbnet", 20)
    (device,) = draw_devices("fbnet", 1, seed=5)
    support = LatencyDataset(queries=measured, latency_ms=latencies(device, measured, np.random.default_rng(0)))
    plain = fitted("fbnet").adapt(TARGET, support)
    adapted = plain.with_interval_scale(2.0)
    again = load_predictor(Artifact.from_bytes(adapted.to_artifact().to_bytes()))
    first, second = adapted.predict(asked[:20]), again.predict(asked[:20])
    assert first.median_ms.tolist() == second.median_ms.tolist()
    assert first.tail_scale == second.tail_scale == 2.0 * plain.predict(asked[:1]).tail_scale


@pytest.mark.parametrize("space", SPACES)
def test_one_device_suffices_to_learn_from(space: str) -> None:
    """As where an agent measured two dozen networks of its machine, and asks for it with these again."""
    queries = drawn(space, 24, 1)
    data = LatencyDataset(queries=queries, latency_ms=pretrained(f"universal-{space}").predict(queries).median_ms)
    fresh, asked = OperatorCostsPredictor().fit(data), drawn(space, 100, 2)
    truth = pretrained(f"universal-{space}").predict(asked).median_ms
    for predictor in (fresh, fresh.adapt(TARGET, data), fresh.adapt(TARGET, data.subset(range(5)))):
        assert spearman(truth, predictor.predict(asked).median_ms) > 0.9
    assert median_ape(truth, fresh.adapt(TARGET, data.subset([0])).predict(asked).median_ms) < 0.5
    stranger = [query.on(Target(device="another", backend="synthetic", backend_version="1")) for query in asked]
    assert spearman(truth, fresh.predict(stranger).median_ms) > 0.9


def test_other_spaces_and_devices_without_rows_are_refused_with_a_reason() -> None:
    other = [Query(target=TARGET, architecture=get_space("mnasnet").sample(np.random.default_rng(0)))] * 20
    with pytest.raises(InputError, match="fbnet, nasbench201"):
        OperatorCostsPredictor().fit(LatencyDataset(queries=other, latency_ms=np.ones(20)))
    with pytest.raises(MissingEvidenceError, match="measure one"):
        fitted("fbnet").adapt(TARGET, LatencyDataset(queries=[], latency_ms=np.empty(0)))
    with pytest.raises(InputError, match="takes 10 at least"):
        OperatorCostsPredictor().fit(LatencyDataset(queries=drawn("fbnet", 5, 0), latency_ms=np.ones(5)))
