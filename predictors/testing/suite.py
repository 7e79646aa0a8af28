"""The contract of a predictor as tests; see `PredictorSuite`."""

import json
import subprocess
import sys
from collections.abc import Callable, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from numpy.testing import assert_allclose, assert_array_equal

from latcast.schema import (
    ArtifactError,
    DeviceEvidence,
    InputError,
    LatcastError,
    MissingEvidenceError,
    NotFittedError,
)
from predictors.artifact import Artifact
from predictors.base import LatencyDataset, Predictor, Query
from predictors.evaluation.metrics import interval_coverage, median_ape, spearman
from predictors.features.references import architecture_of, reference_key
from predictors.testing.fresh import write_queries
from predictors.testing.graphs import foreign_graph, shuffled
from predictors.testing.workload import Workload, default_workload

__all__ = ["PredictorSuite"]


SAME = 1e-10


class PredictorSuite:
    """The tests of a predictor: a subclass defines `make`, and pytest collects it.

    Tests of capabilities that the predictor does not declare are skipped.

    Attributes:
        scale_rtol: relative tolerance with which forecasts follow a change of the unit of time.
        min_spearman: least rank correlation on held-out rows of each trained device.
    """

    scale_rtol: float = 1e-3
    min_spearman: float = 0.9

    def make(self, **hyperparameters: Any) -> Predictor:
        """An unfitted predictor; the suite passes no argument, or `seed`."""
        raise NotImplementedError

    def workload(self) -> Workload:
        """The data sets of the suite; predictors that read architectures need `architecture_workload`."""
        return default_workload()

    @pytest.fixture(scope="class")
    @classmethod
    def data(cls) -> Workload:
        return cls().workload()

    @pytest.fixture(scope="class")
    @classmethod
    def fitted(cls, data: Workload) -> Predictor:
        return cls().make().fit(data.train)

    @pytest.fixture(scope="class")
    @classmethod
    def adapted(cls, fitted: Predictor, data: Workload) -> Predictor:
        return _adapted(fitted, data.support) if fitted.capabilities.adaptable else fitted

    @pytest.fixture(scope="class")
    @classmethod
    def queries(cls, data: Workload) -> list[Query]:
        held_out = data.held_out
        return [held_out.queries[i] for rows in held_out.targets().values() for i in rows[:15]]

    # fit ---------------------------------------------------------------------------------------------------------

    def test_fit_returns_self_and_reports_progress(self, data: Workload) -> None:
        predictor, reports = self.make(), list[tuple[float, str]]()
        assert (
            predictor.fit(_thinned(data.train), progress=lambda done, what: reports.append((done, what))) is predictor
        )
        shares = [share for share, _ in reports]
        assert shares == sorted(shares)
        assert all(0 <= share <= 1 for share in shares)

    def test_constructor_stores_its_arguments(self) -> None:
        predictor = self.make()
        assert type(predictor)(**predictor.hyperparameters()).hyperparameters() == predictor.hyperparameters()
        json.dumps(predictor.hyperparameters())

    def test_same_seed_same_forecasts(self, data: Workload, queries: list[Query]) -> None:
        small = _thinned(data.train)
        first, second = (self.make(seed=3).fit(small).predict(queries) for _ in range(2))
        assert_array_equal(first.median_ms, second.median_ms)

    def test_no_rows_are_refused(self, data: Workload) -> None:
        with pytest.raises(InputError):
            self.make().fit(data.train.subset([]))

    def test_learns_the_training_devices(self, fitted: Predictor, data: Workload) -> None:
        for target, rows in data.held_out.targets().items():
            part = data.held_out.subset(rows)
            assert spearman(part.latency_ms, fitted.predict(part.queries).median_ms) >= self.min_spearman, target

    # predict -----------------------------------------------------------------------------------------------------

    def test_forecasts_are_finite_positive_float64(self, fitted: Predictor, queries: list[Query]) -> None:
        prediction = fitted.predict(queries)
        arrays = (
            [prediction.median_ms, prediction.log_std] if fitted.capabilities.uncertainty else [prediction.median_ms]
        )
        for array in arrays:
            assert array is not None
            assert array.dtype == np.float64
            assert array.shape == (len(queries),)
            assert np.isfinite(array).all()
            assert (array > 0).all()

    def test_no_queries_no_forecasts(self, fitted: Predictor) -> None:
        assert fitted.predict([]).median_ms.shape == (0,)
        assert fitted.coverage([]).shape == (0,)

    def test_a_batch_equals_its_singles(self, adapted: Predictor, queries: list[Query]) -> None:
        batch = adapted.predict(queries)
        singles = [adapted.predict([query]) for query in queries]
        assert_allclose(batch.median_ms, np.concatenate([single.median_ms for single in singles]), rtol=1e-6)
        if batch.log_std is not None:
            assert_allclose(
                batch.log_std, np.concatenate([s.log_std for s in singles if s.log_std is not None]), rtol=1e-6
            )

    def test_node_order_and_names_do_not_matter(self, fitted: Predictor, data: Workload, queries: list[Query]) -> None:
        if not data.has_graphs:
            pytest.skip("reads no graphs")
        rng = np.random.default_rng(5)
        others = [Query(target=query.target, graph=shuffled(query.graph, rng)) for query in queries]
        assert_allclose(fitted.predict(others).median_ms, fitted.predict(queries).median_ms, rtol=1e-6)
        assert_allclose(fitted.coverage(others), fitted.coverage(queries), rtol=1e-6)

    def test_many_threads_may_predict(self, fitted: Predictor, queries: list[Query]) -> None:
        expected = fitted.predict(queries).median_ms
        with ThreadPoolExecutor(4) as pool:
            for prediction in pool.map(fitted.predict, [queries] * 8):
                assert_array_equal(prediction.median_ms, expected)

    def test_unfitted_raises(self, queries: list[Query], data: Workload) -> None:
        calls: list[Callable[[], object]] = [
            lambda: self.make().predict(queries),
            lambda: self.make().coverage(queries),
            lambda: self.make().to_artifact(),
            lambda: _adapted(self.make(), data.support),
        ]
        for call in calls:
            with pytest.raises(NotFittedError):
                call()

    def test_unsupported_input_raises(self, fitted: Predictor, queries: list[Query]) -> None:
        if "graph" in fitted.fitted_capabilities().inputs:
            pytest.skip("reads every graph")
        with pytest.raises(InputError):
            fitted.predict([Query(target=queries[0].target, graph=foreign_graph())])

    def test_coverage_knows_what_is_foreign(self, fitted: Predictor, data: Workload, queries: list[Query]) -> None:
        coverage = fitted.coverage(queries)
        assert coverage.shape == (len(queries),)
        assert coverage.dtype == np.float64
        assert ((coverage >= 0) & (coverage <= 1)).all()
        assert np.median(coverage) > 0.8
        if data.has_graphs:
            target = queries[0].target
            some, all_of_it = fitted.coverage([Query(target=target, graph=foreign_graph(s)) for s in (0.3, 1.0)])
            assert all_of_it <= some < 0.9
            assert all_of_it < 0.5

    # uncertainty -------------------------------------------------------------------------------------------------

    def test_intervals_hold_what_they_claim(self, fitted: Predictor, data: Workload) -> None:
        if not fitted.capabilities.uncertainty:
            assert fitted.predict(data.held_out.queries).log_std is None
            pytest.skip("claims no uncertainty")
        low, high = fitted.predict(data.held_out.queries).interval_ms(0.9)
        assert 0.85 <= interval_coverage(data.held_out.latency_ms, low, high) <= 0.95

    def test_adapted_intervals_hold_what_they_claim(self, fitted: Predictor, data: Workload) -> None:
        if not (fitted.capabilities.uncertainty and fitted.capabilities.adaptable):
            pytest.skip("claims no uncertainty, or does not adapt")
        held_out, coverages = data.new_held_out, list[float]()
        for start in range(5):
            rows = np.arange(len(held_out))
            adapted = _adapted(fitted, held_out.subset(rows[start::20]))
            rest = held_out.subset(rows[rows % 20 != start])
            coverages.append(interval_coverage(rest.latency_ms, *adapted.predict(rest.queries).interval_ms(0.9)))
        assert 0.8 <= np.mean(coverages) <= 0.98, "mean over supports of 15 rows each"

    # adapt -------------------------------------------------------------------------------------------------------

    def test_adapting_leaves_the_original_untouched(
        self, fitted: Predictor, data: Workload, queries: list[Query]
    ) -> None:
        before, digest = fitted.predict(queries).median_ms.copy(), fitted.to_artifact().digest
        assert _adapted(fitted, data.support) is not fitted
        assert_array_equal(fitted.predict(queries).median_ms, before)
        assert fitted.to_artifact().digest == digest

    def test_adapting_improves_on_a_new_device(self, fitted: Predictor, data: Workload) -> None:
        if not fitted.capabilities.adaptable:
            pytest.skip("does not adapt")
        held_out = data.new_held_out
        errors = [median_ape(held_out.latency_ms, fitted.predict(held_out.queries).median_ms)]
        for k in (3, len(data.support)):
            adapted = _adapted(fitted, data.support.subset(range(k)))
            errors.append(median_ape(held_out.latency_ms, adapted.predict(held_out.queries).median_ms))
        assert errors[1] < 0.6 * errors[0]
        assert errors[2] < 0.6 * errors[0]

    def test_an_empty_support_is_refused_or_works(self, fitted: Predictor, data: Workload) -> None:
        empty, target = data.support.subset([]), data.support.queries[0].target
        evidence = data.support.evidence.get(target.id)
        if fitted.capabilities.empty_support:
            assert np.isfinite(fitted.adapt(target, empty, evidence).predict(data.support.queries).median_ms).all()
        else:
            with pytest.raises(LatcastError):
                fitted.adapt(target, empty, evidence)

    def test_missing_evidence_is_named(self, fitted: Predictor, data: Workload) -> None:
        if not fitted.capabilities.evidence:
            pytest.skip("needs no evidence")
        bare = replace(data.support, evidence={})
        with pytest.raises(MissingEvidenceError):
            fitted.adapt(data.support.queries[0].target, bare, DeviceEvidence())

    def test_references_are_named_once_where_they_describe_devices(self, fitted: Predictor, adapted: Predictor) -> None:
        for predictor in (fitted, adapted):
            keys = predictor.references()
            assert len(set(keys)) == len(keys)
            assert [reference_key(architecture_of(key)) for key in keys] == list(keys)
            assert bool(keys) == (predictor.device_descriptor() == "reference_latency_ms")

    def test_training_reads_what_forecasts_read(self, fitted: Predictor) -> None:
        read, learnt = fitted.fitted_capabilities(), self.make().training_capabilities()
        assert read.features <= learnt.features or "graph" not in read.inputs
        assert read.inputs <= learnt.inputs
        assert read.evidence | read.any_evidence | read.useful_evidence <= (
            learnt.evidence | learnt.any_evidence | learnt.useful_evidence
        )

    # units and artifacts -----------------------------------------------------------------------------------------

    def test_a_thousand_times_slower_is_a_thousand_times_slower(self, data: Workload, queries: list[Query]) -> None:
        predictor = self.make()
        if predictor.capabilities.absolute_prior:
            pytest.skip("knows absolute speeds")
        small = _thinned(data.train)
        expected = _adapted(predictor.fit(small), data.support).predict(queries)
        slower = _adapted(self.make().fit(_scaled(small, 1000)), _scaled(data.support, 1000))
        scaled = slower.predict(queries)
        assert_allclose(scaled.median_ms, expected.median_ms * 1000, rtol=self.scale_rtol)
        if expected.log_std is not None and scaled.log_std is not None:
            assert_allclose(scaled.log_std, expected.log_std, rtol=max(self.scale_rtol, 1e-2))

    def test_an_artifact_rebuilds_itself_in_a_fresh_process(
        self, fitted: Predictor, adapted: Predictor, queries: list[Query], tmp_path: Path
    ) -> None:
        for name, predictor in (("fitted", fitted), ("adapted", adapted)):
            path = predictor.to_artifact().save(tmp_path / f"{name}.safetensors")
            arrays = _in_fresh_process(type(predictor), path, queries, tmp_path)
            prediction = predictor.predict(queries)
            # The last bit may differ: linear algebra libraries sum in another order where memory lies differently.
            claims = np.empty(0) if prediction.log_std is None else prediction.log_std
            assert_allclose(arrays["median_ms"], prediction.median_ms, rtol=SAME)
            assert_allclose(arrays["log_std"], claims, rtol=SAME)
            assert_allclose(arrays["coverage"], predictor.coverage(queries), rtol=SAME)

    def test_an_artifact_keeps_what_it_is(self, fitted: Predictor) -> None:
        artifact = fitted.to_artifact()
        again = type(fitted).from_artifact(Artifact.from_bytes(artifact.to_bytes()))
        assert again.hyperparameters() == fitted.hyperparameters()
        assert again.to_artifact().to_bytes() == artifact.to_bytes()

    def test_a_foreign_artifact_is_refused(self, fitted: Predictor) -> None:
        artifact = fitted.to_artifact()
        with pytest.raises(ArtifactError):
            type(fitted).from_artifact(replace(artifact, kind="something_else"))
        with pytest.raises(ArtifactError):
            type(fitted).from_artifact(replace(artifact, arrays={}))


def _in_fresh_process(cls: type[Predictor], path: Path, queries: Sequence[Query], folder: Path) -> dict[str, Any]:
    stored, output = folder / "queries.json", folder / "forecasts.npz"
    write_queries(queries, stored)
    arguments = [f"{cls.__module__}:{cls.__qualname__}", str(path), str(stored), str(output)]
    command = [sys.executable, "-m", "predictors.testing.fresh", *arguments]
    done = subprocess.run(command, capture_output=True, text=True, timeout=120, check=False)
    assert done.returncode == 0, done.stderr
    with np.load(output) as arrays:
        return dict(arrays)


def _adapted(predictor: Predictor, support: LatencyDataset) -> Predictor:
    target = support.queries[0].target
    return predictor.adapt(target, support, support.evidence.get(target.id))


def _thinned(data: LatencyDataset) -> LatencyDataset:
    """A third of each target's rows, enough for tests that do not judge the accuracy of forecasts."""
    return data.subset([i for rows in data.targets().values() for i in rows[: max(1, len(rows) // 3)]])


def _scaled(data: LatencyDataset, factor: float) -> LatencyDataset:
    """The data set in another unit of time, kernels and evidence included."""
    kernels = data.kernels and [
        row and tuple(replace(kernel, time_ms=kernel.time_ms * factor) for kernel in row) for row in data.kernels
    ]
    evidence = {target: _scaled_evidence(one, factor) for target, one in data.evidence.items()}
    return replace(data, latency_ms=data.latency_ms * factor, kernels=kernels, evidence=evidence)


def _scaled_evidence(evidence: DeviceEvidence, factor: float) -> DeviceEvidence:
    bench = evidence.microbench and {
        name: value * factor if name.endswith("_ms") else value for name, value in evidence.microbench.items()
    }
    reference = {key: value * factor for key, value in evidence.reference_latency_ms.items()}
    return replace(evidence, microbench=bench, reference_latency_ms=reference)
