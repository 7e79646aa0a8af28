"""HELP on graphs: the conformance suite, references that are networks, and what an adaptation does without some."""

from dataclasses import replace
from functools import cache
from typing import Any

import numpy as np
import pytest

pytest.importorskip("torch_geometric", reason="the extra [torch] is not installed")

import torch

from latcast.schema import DeviceEvidence, InputError, MissingEvidenceError
from predictors.artifact import Artifact
from predictors.base import LatencyDataset, Query
from predictors.data.splits import merge
from predictors.evaluation.leave_one_out import leave_one_out_ape
from predictors.evaluation.metrics import median_ape
from predictors.features.references import reference_key
from predictors.kinds.flops import FlopsPredictor
from predictors.kinds.help.predictor import HelpPredictor
from predictors.kinds.stack.contest import Contender, contest
from predictors.testing import PredictorSuite
from predictors.testing.devices import DEVICES, NEW_DEVICE, measure
from predictors.testing.graphs import foreign_graph
from predictors.testing.workload import Workload, default_workload
from profilers.onnx_graph import load_graph
from profilers.search_spaces import get_space
from profilers.search_spaces.zoo.references import reference_networks

torch.set_num_threads(1)

KEYS = [reference_key(one) for one in reference_networks()]
SMALL = {"episodes": 150, "width": 24, "meta_rate": 3e-3, "query_rows": 60, "samples": 3, "evaluate_every": 25,
         "encoder_epochs": 12, "encoder_width": 16, "encoder_layers": 2}  # fmt: skip
NEW = NEW_DEVICE.target


@cache
def references() -> LatencyDataset:
    """The ten reference networks on all analytic devices, with their texts."""
    graphs = [load_graph(get_space(one.space).to_onnx(one)) for one in reference_networks()]
    rows = measure(graphs, (*DEVICES, NEW_DEVICE), np.random.default_rng(5))
    texts = {graph.hash: text for graph, text in zip(graphs, reference_networks(), strict=True)}
    queries = [Query(target=one.target, graph=one.graph, architecture=texts[one.graph.hash]) for one in rows.queries]
    return replace(rows, queries=queries)


@cache
def graph_workload() -> Workload:
    """Graphs on the analytic devices, with latencies of the reference networks, which are rows of training, too."""
    plain, measured = default_workload(120, 60, 15), references()
    evidence = {
        target: DeviceEvidence(reference_latency_ms=dict(zip(KEYS, measured.latency_ms[rows].tolist(), strict=True)))
        for target, rows in measured.targets().items()
    }
    old = measured.subset([row for row, query in enumerate(measured.queries) if query.target != NEW])
    parts = (merge(plain.train, old), plain.held_out, plain.support, plain.new_held_out)
    return Workload(*(replace(part, evidence=evidence) for part in parts))


def of_new_device() -> LatencyDataset:
    """The references as rows of the new device, without evidence."""
    measured = references()
    return measured.subset([row for row, query in enumerate(measured.queries) if query.target == NEW])


def make(**hyperparameters: Any) -> HelpPredictor:
    return HelpPredictor(**{**SMALL, **hyperparameters})


@pytest.mark.slow
class TestHelpOnGraphs(PredictorSuite):
    """Frozen embeddings of a graph network beside the latencies of ten networks."""

    scale_rtol = 0.02

    def make(self, **hyperparameters: Any) -> HelpPredictor:
        return make(**hyperparameters)

    def workload(self) -> Workload:
        return graph_workload()

    def test_it_says_what_it_reads_and_what_describes_a_device(
        self, fitted: HelpPredictor, adapted: HelpPredictor, data: Workload
    ) -> None:
        artifact = adapted.to_artifact()
        assert (artifact.vocabulary["encoder"], artifact.meta["descriptor"]) == ("graphs", "reference_latency_ms")
        assert set(fitted.references()) == set(KEYS)
        assert fitted.fitted_capabilities().inputs == {"graph"}
        assert fitted.fitted_capabilities().spaces == ()
        assert fitted.unknown_operators(Query(target=NEW, graph=foreign_graph())) == ("org.example::Sinkhorn",)

    def test_ten_references_alone_describe_a_device_by_far_better_than_their_mean(
        self, fitted: HelpPredictor, data: Workload
    ) -> None:
        new = data.new_held_out
        before = median_ape(new.latency_ms, fitted.predict(new.queries).median_ms)
        by_evidence = fitted.adapt(NEW, data.support.subset([]), data.support.evidence[NEW.id]).predict(new.queries)
        assert median_ape(new.latency_ms, by_evidence.median_ms) < min(0.4, before)

    def test_rows_and_evidence_of_the_references_say_the_same(self, fitted: HelpPredictor, data: Workload) -> None:
        new = data.new_held_out.queries
        by_evidence = fitted.adapt(NEW, data.support.subset([]), data.support.evidence[NEW.id]).predict(new)
        by_rows = fitted.adapt(NEW, of_new_device()).predict(new)
        np.testing.assert_allclose(by_rows.median_ms, by_evidence.median_ms, rtol=1e-5)

    def test_each_of_ten_references_can_be_left_out_and_half_of_them_suffice(
        self, fitted: HelpPredictor, data: Workload
    ) -> None:
        rows = of_new_device()
        assert np.isfinite(leave_one_out_ape(fitted, NEW, rows)).all()
        new = data.new_held_out
        half = fitted.adapt(NEW, rows.subset(range(5))).predict(new.queries)
        assert median_ape(new.latency_ms, half.median_ms) < 0.5
        with pytest.raises(MissingEvidenceError, match="10 reference architectures of the target; 6 were not measured"):
            fitted.adapt(NEW, rows.subset(range(4)))

    def test_it_contends_with_kinds_that_need_no_references(self, fitted: HelpPredictor, data: Workload) -> None:
        rival = FlopsPredictor(folds=2).fit(data.train)
        contenders = [Contender(name="help", predictor=fitted), Contender(name="flops", predictor=rival)]
        held = contest(contenders, NEW, of_new_device(), None)
        assert all(one.median_ape is not None and not one.refused for one in held.standings)

    def test_references_that_are_no_rows_of_training_describe_devices_all_the_same(self, data: Workload) -> None:
        plain = data.train.subset([row for row, one in enumerate(data.train.queries) if one.architecture is None])
        fitted = self.make(episodes=50, encoder_epochs=4).fit(plain)
        again = HelpPredictor.from_artifact(Artifact.from_bytes(fitted.to_artifact().to_bytes()))
        adapted = again.adapt(NEW, data.support.subset([]), data.support.evidence[NEW.id])
        assert np.isfinite(adapted.predict(data.new_held_out.queries).median_ms).all()


def test_a_target_with_few_rows_is_described_and_no_task() -> None:
    train = graph_workload().train
    few, *others = train.targets().values()
    data = train.subset([*few[:8], *(row for rows in others for row in rows[:20])])
    fitted = make(episodes=25, encoder_epochs=1).fit(data)
    assert set(fitted.devices_) == {device.target.id for device in DEVICES}
    with pytest.raises(InputError, match=r"more than 10 different latencies of every target.*support_rows=5"):
        make(encoder_epochs=1).fit(train.subset([*few[:8], *others[0][:10]]))
