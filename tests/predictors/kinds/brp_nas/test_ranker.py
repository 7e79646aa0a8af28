"""Ranking losses, and rounds of a search."""

import numpy as np
import pytest

pytest.importorskip("torch", reason="the extra [torch] is not installed")

import torch

from predictors.artifact import Artifact
from predictors.evaluation.metrics import kendall
from predictors.kinds.brp_nas.ranker import LOSSES, Ranker, diff_kendall_loss, hinge_loss, relation_loss, select_next
from predictors.testing.architectures import architecture_workload
from latcast.schema import ArtifactError, InputError, NotFittedError

torch.set_num_threads(1)

SMALL = {"layers": 2, "width": 32, "epochs": 12, "learning_rate": 5e-3, "dropout": 0.0}


@pytest.mark.parametrize("loss", LOSSES)
def test_every_loss_learns_an_order(loss: str) -> None:
    workload = architecture_workload()
    rows, epochs = (36, 8) if loss == "relation" else (60, 60)
    train, held_out = workload.train.subset(range(rows)), workload.held_out.subset(range(80))
    ranker = Ranker(loss=loss, **{**SMALL, "epochs": epochs}).fit(train.queries, -np.log(train.latency_ms))
    order = ranker.rank(held_out.queries)
    assert sorted(order) == list(range(80))
    place = np.empty(80)
    place[order] = np.arange(80)
    assert kendall(place, held_out.latency_ms) > 0.3
    again = Ranker.from_artifact(Artifact.from_bytes(ranker.to_artifact().to_bytes()))
    assert again.rank(held_out.queries) == order
    assert again.to_artifact().digest == ranker.to_artifact().digest
    assert ranker.select(held_out.queries, 5) == order[:5]


def test_losses_are_lowest_where_the_order_is_right() -> None:
    values = torch.tensor([0.0, 0.5, 1.0])
    for loss in (hinge_loss, diff_kendall_loss):
        right, wrong = loss(10 * values, values), loss(-10 * values, values)
        assert float(right) < 0.05
        assert float(wrong) > 1.0
    pairs = torch.tensor([[0.0, 1.0]])
    exact = torch.log_softmax(pairs, dim=-1)
    assert float(relation_loss(exact, pairs)) == pytest.approx(0, abs=1e-6)
    assert float(relation_loss(exact.flip(-1), pairs)) > 0.1


def test_diff_kendall_tends_to_kendall() -> None:
    rng = np.random.default_rng(0)
    scores, values = rng.standard_normal(50), rng.standard_normal(50)
    loss = diff_kendall_loss(torch.from_numpy(scores), torch.from_numpy(values), steepness=1e6)
    assert float(loss) == pytest.approx(1 - kendall(scores, values), abs=1e-6)


def test_the_next_round_is_best_and_random_without_repetition() -> None:
    queries = architecture_workload().train.queries[:120]
    ranker = Ranker(loss="hinge", **SMALL).fit(queries[:40], np.arange(40.0))
    chosen = select_next(ranker, queries[40:], round_number=2, best=5, exploring=6)
    order = ranker.rank(queries[40:])
    assert chosen[:5] == order[:5]
    assert len(set(chosen)) == 11
    assert set(chosen[5:]) <= set(order[5:20])
    with pytest.raises(InputError, match="there are 5"):
        select_next(ranker, queries[:5], round_number=1)


def test_misuse_is_refused() -> None:
    workload = architecture_workload()
    queries = workload.train.queries[:3]
    with pytest.raises(InputError, match="loss"):
        Ranker(loss="mse")
    with pytest.raises(NotFittedError):
        Ranker().rank(queries)
    for values in ([1.0], [1.0, 2.0, np.nan]):
        with pytest.raises(InputError):
            Ranker(**SMALL).fit(queries, values)
    ranker = Ranker(loss="hinge", **{**SMALL, "epochs": 1}).fit(queries, [1.0, 2.0, 3.0])
    assert ranker.rank([]) == []
    artifact = ranker.to_artifact()
    with pytest.raises(ArtifactError):
        Ranker.from_artifact(Artifact(kind="ranker", hyperparameters=artifact.hyperparameters, arrays={}))
