"""HELP's predictor: the conformance suite, its meta-gradient and reference latencies."""

from dataclasses import replace
from typing import Any

import numpy as np
import pytest

pytest.importorskip("torch", reason="the extra [torch] is not installed")

import torch

from predictors.features.cells import help_arrays
from predictors.features.references import architecture_of, min_max, reference_key
from predictors.kinds.help.predictor import HelpPredictor
from predictors.evaluation.metrics import spearman
from predictors.kinds.help.network import HelpNet
from predictors.testing import PredictorSuite
from predictors.testing.architectures import architecture_workload, operator_workload
from predictors.testing.workload import Workload
from latcast.schema import InputError, MissingEvidenceError
from profilers.search_spaces.nasbench201 import NASBench201

torch.set_num_threads(1)

SMALL = {"episodes": 150, "width": 24, "meta_rate": 3e-3, "query_rows": 60, "samples": 3, "evaluate_every": 25}


@pytest.mark.slow
class TestHelp(PredictorSuite):
    scale_rtol = 0.02
    min_spearman = 0.7  # before adapting, after seconds of meta-training

    def make(self, **hyperparameters: Any) -> HelpPredictor:
        return HelpPredictor(**{**SMALL, **hyperparameters})

    def workload(self) -> Workload:
        return operator_workload(dead_costs=True)

    def test_adapting_improves_the_order(self, fitted: HelpPredictor, data: Workload) -> None:
        target, new = data.support.queries[0].target, data.new_held_out
        adapted = fitted.adapt(target, data.support, data.support.evidence[target.id])
        before, after = (spearman(new.latency_ms, item.predict(new.queries).median_ms) for item in (fitted, adapted))
        assert after > max(before, 0.9)


@pytest.fixture(scope="module")
def fitted() -> HelpPredictor:
    return HelpPredictor(**{**SMALL, "episodes": 25}).fit(architecture_workload().train)


def test_the_paper_is_the_default() -> None:
    settings = HelpPredictor().hyperparameters()
    published = {"episodes": 2000, "meta_rate": 1e-4, "inner_steps": 2, "devices_per_episode": 8, "support_rows": 10}
    published |= {"query_rows": 200, "width": 100, "modulation": 0.01, "divergence_weight": 0.1, "samples": 10}
    assert {name: settings[name] for name in published} == published
    assert sum(p.numel() for p in HelpNet(8, graph=True).parameters()) == 123_001  # as in the released checkpoint


def test_a_cell_is_a_graph_with_a_global_node_that_hears_all() -> None:
    nodes, adjacency = help_arrays([NASBench201().parse(NASBench201.example)])
    assert nodes[0].argmax(axis=1).tolist() == [0, 4, 4, 5, 2, 4, 2, 6, 7]
    assert adjacency[0, -1].all()
    assert adjacency[0, 0].tolist() == [1, 0, 0, 0, 0, 0, 0, 0, 0]
    assert adjacency[0, 7].tolist() == [0, 0, 0, 0, 1, 1, 1, 1, 0]


def test_reference_latencies_may_be_rows_of_the_support(fitted: HelpPredictor) -> None:
    workload = architecture_workload()
    target = workload.support.queries[0].target
    known = workload.support.evidence[target.id].reference_latency_ms
    queries = [type(workload.support.queries[0])(target=target, architecture=architecture_of(key)) for key in known]
    rows = replace(workload.support, queries=[*workload.support.queries, *queries], noise_log=None,
                   latency_ms=np.array([*workload.support.latency_ms, *known.values()]), evidence={})  # fmt: skip
    assert np.isfinite(fitted.adapt(target, rows).predict(workload.new_held_out.queries).median_ms).all()
    missing = replace(workload.support, evidence={})
    with pytest.raises(MissingEvidenceError, match="10 were not measured"):
        fitted.adapt(target, missing)


@pytest.mark.slow
def test_validation_keeps_the_best_state() -> None:
    workload = architecture_workload()
    seen: list[str] = []
    predictor = HelpPredictor(**{**SMALL, "episodes": 75})
    predictor.fit(workload.train, validation=workload.new_held_out, progress=lambda _, what: seen.append(what))
    values = [float(what.split(":")[1].split(",")[0]) for what in seen]
    best = float(seen[-1].rsplit(" ", 1)[1])
    assert len(values) == 3
    assert best == pytest.approx(min(values), rel=1e-3)
    assert predictor._validation_loss(workload.new_held_out) == pytest.approx(best, rel=1e-3)


def test_too_few_rows_or_no_references_are_refused() -> None:
    workload = architecture_workload()
    with pytest.raises(InputError, match="more than 10"):
        HelpPredictor(**SMALL).fit(workload.train.subset(range(8)))
    with pytest.raises(MissingEvidenceError):
        HelpPredictor(**SMALL).fit(replace(workload.train, evidence={}))


def test_keys_name_architectures() -> None:
    architecture = NASBench201().parse(NASBench201.example)
    assert architecture_of(reference_key(architecture)) == architecture
    assert min_max([3.0, 3.0]).tolist() == [0.0, 0.0]
    assert min_max([1.0, 3.0, 2.0]).tolist() == [0.0, 1.0, 0.5]
