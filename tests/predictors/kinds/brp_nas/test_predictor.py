"""BRP-NAS's predictor: the conformance suite, its graphs, and a device of the published table."""

from typing import Any

import numpy as np
import pytest

pytest.importorskip("torch", reason="the extra [torch] is not installed")

import torch

from predictors.base import Query
from predictors.evaluation.nas.protocol import training_rows, validation_rows
from predictors.kinds.brp_nas.predictor import BrpNasPredictor
from predictors.features.cells import brp_graph
from predictors.data.importers.help import read_table
from predictors.evaluation.metrics import spearman
from predictors.testing import PredictorSuite
from predictors.testing.architectures import architecture_workload, operator_workload
from predictors.testing.workload import Workload
from latcast.schema import Architecture
from profilers.search_spaces.nasbench201 import NASBench201
from tests.predictors.tables import published_data

torch.set_num_threads(1)

SMALL = {"layers": 3, "width": 48, "epochs": 60, "learning_rate": 3e-3, "warm_up_epochs": 20, "training_rows": 500}


@pytest.mark.slow
class TestBrpNas(PredictorSuite):
    scale_rtol = 0.02
    min_spearman = 0.9

    def make(self, **hyperparameters: Any) -> BrpNasPredictor:
        return BrpNasPredictor(**{**SMALL, **hyperparameters})

    def workload(self) -> Workload:
        return operator_workload(dead_costs=False)  # the paper's graph has no dead operators


def test_the_paper_is_the_default() -> None:
    settings = BrpNasPredictor().hyperparameters()
    published = {"layers": 4, "width": 600, "dropout": 0.002, "epochs": 250, "learning_rate": 4e-4}
    published |= {"weight_decay": 5e-4, "patience": 10, "stop_after": 35, "training_rows": 900}
    assert {name: settings[name] for name in published} == published


@pytest.mark.slow
def test_a_device_of_the_published_table_is_learned_as_well_as_documented() -> None:
    table = read_table(published_data(), "nasbench201")
    device = "titan_rtx_256"
    rows = training_rows(table, [device], protocol="help", samples=900, seed=0, references=False)
    held_out = validation_rows(table, [device], samples=900)
    assert held_out is not None
    forecast = BrpNasPredictor(epochs=60).fit(rows).predict(held_out.queries).median_ms
    assert spearman(held_out.latency_ms, forecast) > 0.75


def test_skips_become_edges_and_dead_operators_disappear() -> None:
    space = NASBench201()
    text = "|skip_connect~0|+|none~0|nor_conv_1x1~1|+|avg_pool_3x3~0|none~1|nor_conv_3x3~2|"
    nodes, adjacency = brp_graph([space.parse(text)])
    kinds = nodes[0].argmax(axis=1)
    present = nodes[0].any(axis=1)
    # Global, input, six operators, output: those that are `none` or a skip have no kind.
    assert present.tolist() == [True, True, False, False, True, True, False, True, True]
    assert kinds[present].tolist() == [5, 3, 0, 2, 1, 4]
    edges = {(int(a), int(b)) for a, b in np.argwhere(adjacency[0] - np.eye(9) > 0) if a > 0}
    assert edges == {(1, 4), (1, 5), (4, 7), (5, 8), (7, 8)}
    assert adjacency[0, 0].all()


def test_cells_that_compute_the_same_have_the_same_graph() -> None:
    space, rng = NASBench201(), np.random.default_rng(0)
    for _ in range(50):
        cell = space.sample(rng)
        live = Architecture(space=space.name, text=space.canonical(cell.text))
        for ours, theirs in zip(brp_graph([cell]), brp_graph([live]), strict=True):
            np.testing.assert_array_equal(ours, theirs)


def test_the_level_of_an_unknown_target_is_the_usual_one() -> None:
    workload = architecture_workload()
    fitted = BrpNasPredictor(**{**SMALL, "epochs": 2}).fit(workload.train)
    query = workload.train.queries[0]
    known = [fitted.predict([Query(target=q.target, architecture=query.architecture)]) for q in
             (workload.train.queries[rows[0]] for rows in workload.train.targets().values())]  # fmt: skip
    stranger = fitted.predict([Query(target=workload.support.queries[0].target, architecture=query.architecture)])
    usual = np.exp(np.mean([np.log(item.median_ms[0]) for item in known]))
    np.testing.assert_allclose(stranger.median_ms[0], usual, rtol=1e-9)
