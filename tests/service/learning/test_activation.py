"""What is made answers alone for its target, and only the last few are kept, over both databases."""

from collections.abc import Callable
from threading import get_ident
from typing import Any

import pytest
from sqlalchemy import Connection, event, select

from predictors.artifact import Artifact
from predictors.kinds.flops import FlopsPredictor
from predictors.testing.workload import default_workload
from service.db import tables
from service.db.session import READ_ONLY
from service.learning import activation
from service.learning.activation import left_out_figures, shipped_name
from service.learning.artifacts import packed
from service.learning.catalogue import shipped_bases
from tests.service.learning.test_adaptation import AdaptingWorld, adapted, base, world

__all__ = ["base", "world"]


@pytest.mark.slow
def test_the_last_five_artifacts_of_a_target_are_kept(world: AdaptingWorld) -> None:
    jobs = [adapted(world, speed=1.0 + place / 10) for place in range(6)]
    with world.database.read() as session:
        kept = list(session.scalars(select(tables.Adaptation).order_by(tables.Adaptation.created_unix_s)))
        digests = set(session.scalars(select(tables.Artifact.digest)))
        bases = set(session.scalars(select(tables.Predictor.artifact_digest)))
    assert [row.id for row in kept] == [job["result"]["adaptation_id"] for job in jobs[1:]]
    assert digests == {row.artifact_digest for row in kept} | bases
    assert len(digests) == len(bases) + 5
    assert [row.active for row in kept] == [False] * 4 + [True]


def test_what_takes_long_is_done_before_the_transaction(world: AdaptingWorld, monkeypatch: pytest.MonkeyPatch) -> None:
    """A file of SQLite takes one writer at a time: what agents report would wait for it."""
    writing: set[int] = set()  # threads in a transaction that writes
    packing: list[bool] = []
    to_bytes, difference = Artifact.to_bytes, activation.difference

    def noted(function: Callable[..., Any]) -> Callable[..., Any]:
        def call(*arguments: Any) -> Any:
            packing.append(get_ident() in writing)
            return function(*arguments)

        return call

    def begin(connection: Connection) -> None:
        if not connection.get_execution_options().get(READ_ONLY, False):
            writing.add(get_ident())

    event.listen(world.database.engine, "begin", begin)
    for end in ("commit", "rollback"):
        event.listen(world.database.engine, end, lambda _connection: writing.discard(get_ident()))
    monkeypatch.setattr(Artifact, "to_bytes", noted(to_bytes))
    monkeypatch.setattr(activation, "difference", noted(difference))
    adapted(world)
    assert packing.count(False) >= 2
    assert True not in packing
    with world.database.write.begin() as session:
        session.execute(select(1))
        Artifact(kind="flops", hyperparameters={}, arrays={}).to_bytes()
    assert packing[-1], "what is done in a transaction is seen"


def test_left_out_figures_have_the_score_of_their_intervals() -> None:
    work = default_workload()
    whole = work.train.subset([row for rows in work.train.targets().values() for row in rows[:20]])
    support = whole.subset(next(iter(whole.targets().values()))[:8])
    target = support.queries[0].target
    base = FlopsPredictor().fit(whole)
    figures = left_out_figures(base, target, support)
    assert set(figures) == {"support_loo_median_ape", "support_loo_interval_score"}
    error, score = (figures[f"support_loo_{name}"] or 0.0 for name in ("median_ape", "interval_score"))
    assert 0 < error < 2
    assert score > 0
    nothing = left_out_figures(base, target, support.subset([0]))
    assert nothing == {"support_loo_median_ape": None, "support_loo_interval_score": None}


def test_a_shipped_predictor_is_known_by_its_artifact() -> None:
    shipped = next(base for base in shipped_bases() if base.id == "pretrained:universal-nasbench201")
    digest = packed(shipped.predictor.to_artifact()).digest
    assert shipped_name(digest, "universal") == "pretrained:universal-nasbench201"
    assert shipped_name(digest, "flops") is None
    assert shipped_name("another", "universal") is None
