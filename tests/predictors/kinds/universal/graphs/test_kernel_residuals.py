"""What the timed kernels of a support say of kernels like them."""

from collections.abc import Mapping
from dataclasses import replace

import numpy as np
import pytest
from numpy.testing import assert_allclose, assert_array_equal

pytest.importorskip("torch")

from predictors.artifact import Artifact
from predictors.base import LatencyDataset
from predictors.features.kernels import CLASSES
from predictors.kinds.kernel_sum.sums import Kernels, Labels
from predictors.evaluation.metrics import median_ape
from predictors.registry import load_predictor
from predictors.testing import NEW_DEVICE, measure, random_graph
from predictors.kinds.universal import UniversalPredictor
from predictors.kinds.universal.graphs.kernel_network import KernelInputs
from predictors.kinds.universal.graphs.kernel_residuals import KernelResiduals
from predictors.kinds.universal.graphs.network_correction import NetworkCorrection
from predictors.kinds.universal.graphs.predictor import GraphPredictor
from latcast.schema import ArtifactError
from tests.predictors.kinds.kernel_sum.test_predictor import small_data

CONV, CALL = CLASSES.index("conv"), CLASSES.index("call")
OTHER = CLASSES.index("softmax")


def _inputs(numbers: list[float], kinds: list[int]) -> KernelInputs:
    count = len(kinds)
    return KernelInputs(
        numbers=np.array(numbers, dtype=np.float32)[:, None],
        classes=np.array(kinds),
        operators=np.zeros(count, dtype=np.int64),
        traits=np.zeros((count, 0), dtype=np.float32),
        rows=np.arange(count),
    )


def _fit(numbers: list[float], kinds: list[int], factors: list[float]) -> KernelResiduals | None:
    """Kernels that are all forecast to take one unit and take `factors`."""
    count = len(kinds)
    kernels = Kernels(
        log_time=np.zeros(count), kinds=np.array(kinds), tilt=np.zeros((count, 0)), rows=np.arange(count),
        count=count, unknown_variance=np.zeros(count),
    )  # fmt: skip
    taken = np.array(factors)
    labels = Labels(latency=taken, kernel_time=taken)
    return KernelResiduals.fit(_inputs(numbers, kinds), kernels, labels, np.zeros(1 + 2 * len(CLASSES)))


def _learned(numbers: list[float], kinds: list[int], factors: list[float]) -> KernelResiduals:
    found = _fit(numbers, kinds, factors)
    assert found is not None
    return found


def test_near_kernels_of_the_class_follow_and_others_do_not() -> None:
    own = _learned([0.0] * 8, [CONV] * 8, [1.5] * 8)
    here, near, far, other = own.correction(_inputs([0.0, 2.0, 40.0, 0.0], [CONV, CONV, CONV, OTHER]))
    assert 0.5 * np.log(1.5) < here <= np.log(1.5)
    assert here > near > far
    assert abs(far) < 1e-3
    assert other == 0.0


def test_more_timings_are_believed_more() -> None:
    shifts = [_learned([0.0] * n, [CONV] * n, [1.5] * n).correction(_inputs([0.0], [CONV]))[0] for n in (1, 4, 16)]
    assert 0 < shifts[0] < shifts[1] < shifts[2]


def test_kernels_without_timings_say_nothing() -> None:
    assert _fit([0.0, 1.0], [CONV, CALL], [np.nan, 3.0]) is None
    own = _learned([0.0, 0.0], [CONV, OTHER], [1.5, np.nan])
    assert_array_equal(own.correction(_inputs([0.0], [OTHER])), [0.0])


def test_a_mistaken_attribution_is_bounded() -> None:
    shift = _learned([0.0] * 16, [CONV] * 16, [1e6] * 16).correction(_inputs([0.0], [CONV]))[0]
    assert 0 < shift <= 1.0


def test_the_costliest_kernels_of_a_class_are_kept() -> None:
    count = 700
    own = _learned([float(n) for n in range(count)], [CONV] * count, [1.0] * count)
    assert len(own.classes) == 600


@pytest.fixture(scope="module")
def fitted() -> UniversalPredictor:
    return UniversalPredictor(width=16, epochs=8, trees=60, folds=2).fit(small_data(count=60))


def _wide_convolutions_slow(data: LatencyDataset) -> LatencyDataset:
    """Kernels of the longer half take twice as long, in their graphs' latencies too."""
    assert data.kernels is not None
    middle = np.median([one.time_ms for row in data.kernels for one in row or ()])
    rows = [
        tuple(replace(k, time_ms=k.time_ms * (2 if k.time_ms > middle else 1)) for k in row or ())
        for row in data.kernels
    ]
    added = [
        sum(k.time_ms for k in row) - sum(k.time_ms for k in was or ())
        for row, was in zip(rows, data.kernels, strict=True)
    ]
    return replace(data, kernels=rows, latency_ms=data.latency_ms + added)


def graphs_of(predictor: UniversalPredictor) -> GraphPredictor:
    assert isinstance(predictor.fitted, GraphPredictor)
    return predictor.fitted


def own_kernels(predictor: UniversalPredictor) -> Mapping[str, KernelResiduals]:
    correction = graphs_of(predictor).model.correction
    assert isinstance(correction, NetworkCorrection)
    return correction.own_kernels


def _new_target() -> tuple[LatencyDataset, LatencyDataset]:
    rng = np.random.default_rng(8)
    data = _wide_convolutions_slow(measure([random_graph(rng) for _ in range(50)], [NEW_DEVICE], rng))
    return data.subset(range(20)), data.subset(range(20, 50))


def _of_graphs(latency: float, timed: float) -> tuple[KernelInputs, Kernels, Labels]:
    """Twelve graphs of two kernels alike, forecast to take one unit each; what they take is so many times that."""
    rows = np.repeat(np.arange(12), 2)
    kernels = Kernels(
        log_time=np.zeros(24), kinds=np.full(24, CONV), tilt=np.zeros((24, 0)), rows=rows, count=12,
        unknown_variance=np.zeros(24),
    )  # fmt: skip
    labels = Labels(latency=np.full(12, 2 * latency), kernel_time=np.full(24, timed))
    return replace(_inputs([0.0] * 24, [CONV] * 24), rows=rows), kernels, labels


def test_kernels_are_believed_as_far_as_latencies_bear_them_out() -> None:
    flat = np.zeros(1 + 2 * len(CLASSES))

    def moved(latency: float, timed: float) -> float:
        inputs, kernels, labels = _of_graphs(latency, timed)
        found = KernelResiduals.believed(inputs, kernels, labels, flat)
        assert found is not None
        return float(np.exp(found.correction(inputs)[0]))

    assert moved(1.5, 1.5) == pytest.approx(1.5, abs=0.08)
    assert moved(1.0, 1.5) == pytest.approx(1.0, abs=0.01), "a profiler's own cost"
    assert moved(1.2, 1.5) == pytest.approx(1.24, abs=0.2)


def test_a_single_graph_is_half_believed_and_no_timings_say_nothing() -> None:
    flat = np.zeros(1 + 2 * len(CLASSES))
    inputs, kernels, labels = _inputs([0.0], [CONV]), *_of_graphs(1.0, 1.5)[1:]
    kernels = replace(
        kernels, log_time=np.zeros(1), kinds=np.array([CONV]), tilt=np.zeros((1, 0)), rows=np.zeros(1, dtype=np.int64),
        count=1, unknown_variance=np.zeros(1),
    )  # fmt: skip
    labels = Labels(latency=np.array([1.5]), kernel_time=np.array([1.5]))
    whole, half = (how(inputs, kernels, labels, flat) for how in (KernelResiduals.fit, KernelResiduals.believed))
    assert whole is not None
    assert half is not None
    assert_allclose(half.weights, whole.weights / 2)
    silent = replace(labels, kernel_time=np.array([np.nan]))
    assert KernelResiduals.believed(inputs, kernels, silent, flat) is None


def test_forecasts_of_a_target_whose_large_kernels_are_slow_improve(fitted: UniversalPredictor) -> None:
    support, rest = _new_target()
    adapted = fitted.adapt(support.queries[0].target, support)
    untimed = fitted.adapt(support.queries[0].target, replace(support, kernels=None))
    assert own_kernels(adapted).keys() == {support.queries[0].target.id}
    assert not own_kernels(untimed)
    with_own = median_ape(rest.latency_ms, adapted.predict(rest.queries).median_ms)
    model = graphs_of(adapted).model
    without = replace(model, correction=model.correction.without_target(support.queries[0].target.id))
    assert with_own < median_ape(rest.latency_ms, without.predict(rest.queries).median_ms)


def test_an_adapted_predictor_survives_the_artifact_and_leaves_other_targets_alone(
    fitted: UniversalPredictor,
) -> None:
    support, rest = _new_target()
    adapted = fitted.adapt(support.queries[0].target, support)
    again = load_predictor(Artifact.from_bytes(adapted.to_artifact().to_bytes()))
    assert_array_equal(again.predict(rest.queries).median_ms, adapted.predict(rest.queries).median_ms)
    others = small_data(seed=7, count=5).queries
    assert_array_equal(adapted.predict(others).median_ms, fitted.predict(others).median_ms)


def test_a_target_of_training_is_not_told_its_kernels_again(fitted: UniversalPredictor) -> None:
    data = small_data(seed=9, count=10)
    known = data.queries[0].target
    support = data.subset([row for row, query in enumerate(data.queries) if query.target.id == known.id])
    adapted = fitted.adapt(known, support)
    assert not own_kernels(adapted)
    slower = fitted.adapt(known, replace(support, latency_ms=support.latency_ms * 1.6))
    assert own_kernels(slower).keys() == {known.id}


def test_telling_a_target_again_replaces_what_its_kernels_said(fitted: UniversalPredictor) -> None:
    support, rest = _new_target()
    target = support.queries[0].target
    once = fitted.adapt(target, support)
    twice = once.adapt(target, support)
    assert len(own_kernels(twice)[target.id].classes) == len(own_kernels(once)[target.id].classes)
    assert_allclose(twice.predict(rest.queries).median_ms, once.predict(rest.queries).median_ms, rtol=0.15)


def test_arrays_that_do_not_fit_are_refused(fitted: UniversalPredictor) -> None:
    support, _ = _new_target()
    artifact = fitted.adapt(support.queries[0].target, support).to_artifact()
    broken = {**artifact.arrays, "own.0.weights": artifact.arrays["own.0.weights"][:-1]}
    with pytest.raises(ArtifactError, match="corrupt"):
        load_predictor(replace(artifact, arrays=broken))


def test_artifacts_that_name_no_blunt_peak_are_read_as_they_were_written() -> None:
    """Weights were found under the covariance with a sharp one: exp(-d / 4) of a variance of 1/16."""
    own = _learned([0.0, 1.0], [CONV, CONV], [1.5, 1.2])
    arrays = own.to_arrays("own.0.")
    near = _inputs([0.25], [CONV])
    again = KernelResiduals.from_artifact(Artifact(kind="k", hyperparameters={}, arrays=arrays), "own.0.", 1)
    assert_array_equal(again.correction(near), own.correction(near))
    older = {name: array for name, array in arrays.items() if name != "own.0.blunt"}
    sharp = KernelResiduals.from_artifact(Artifact(kind="k", hyperparameters={}, arrays=older), "own.0.", 1)
    distance = np.abs(own.numbers[:, 0] - 0.25)
    assert_allclose(sharp.correction(near), [np.exp(-distance / 4) / 16 @ own.weights])
