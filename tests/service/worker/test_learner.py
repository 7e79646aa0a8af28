"""What is measured is scored and learnt from at once, without a job, over both databases."""

from dataclasses import replace
from threading import get_ident
from types import SimpleNamespace

import numpy as np
import pytest
from sqlalchemy import Connection, event, select, update

from latcast.schema import Graph
from profilers.onnx_graph import load_graph
from profilers.search_spaces import get_space
from service.curation.hiding import RowChoice, hide, show
from service.db import tables
from service.db.session import READ_ONLY
from service.learning.artifacts import put_artifact, read_artifact
from service.learning.support_selection import good_rows
from service.worker import learner
from service.worker.learner import Learner
from tests.service.helpers import CELL, TARGET
from tests.service.learning.test_adaptation import AdaptingWorld, adapted, base, latency_ms, world

__all__ = ["base", "world"]

ITEM = {"space": "nasbench201", "text": CELL}


def truth_ms() -> float:
    return latency_ms(graph_of(CELL))


def graph_of(text: str) -> Graph:
    space = get_space("nasbench201")
    return load_graph(space.to_onnx(space.parse(text)))


def texts(seed: int, count: int) -> list[str]:
    space, rng = get_space("nasbench201"), np.random.default_rng(seed)
    drawn = (space.sample(rng) for _ in range(10 * count))
    return list(dict.fromkeys(one.text for one in drawn if not space.is_degenerate(one)))[:count]


def measure(world: AdaptingWorld, names: list[str], *, speed: float = 1.0) -> None:
    with world.agent() as agent:
        world.client.profile(TARGET.id, architectures=[("nasbench201", text) for text in names])
        assert world.work(agent, speed=speed) == len(names)


def learner_of(world: AdaptingWorld) -> Learner:
    """A learner that has looked at what is there."""
    found = Learner(world.database, world.forecaster)
    assert not found.look()
    return found


def adaptations(world: AdaptingWorld) -> list[tables.Adaptation]:
    with world.database.read() as session:
        order = tables.Adaptation.created_unix_s
        return list(session.scalars(select(tables.Adaptation).order_by(order)))


def test_a_measurement_adapts_its_target_without_a_job(world: AdaptingWorld) -> None:
    world.agent()
    learning = learner_of(world)
    before = world.client.predict(TARGET.id, [ITEM])[0]
    measure(world, texts(1, 3))
    assert not learning.look()
    after = world.client.predict(TARGET.id, [ITEM])[0]
    assert (before["adapted"], after["adapted"], after["measurements"]) == (False, True, 3)
    assert before["latency_ms"] > 2 * truth_ms()
    assert after["latency_ms"] == pytest.approx(truth_ms(), rel=0.15)
    (row,) = adaptations(world)
    assert (row.job_id, row.active, row.metrics["judged_support"]) == (None, True, 3)


@pytest.mark.slow
def test_rows_of_an_adaptation_are_kept_when_others_join_them(world: AdaptingWorld) -> None:
    adapted(world)
    learning = learner_of(world)
    measure(world, texts(2, 2))
    learning.look()
    first, second = adaptations(world)
    assert set(first.support) < set(second.support)
    assert len(second.support) == len(first.support) + 2
    assert second.metrics["support_loo_median_ape"] is not None


@pytest.mark.slow
def test_all_who_are_believed_learn(world: AdaptingWorld, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("predictors.kinds.stack.weights._DECISIVE", 1.1)
    monkeypatch.setattr("predictors.kinds.stack.weights._NEGLIGIBLE", 0.0)
    monkeypatch.setattr("predictors.kinds.stack.contest.MOST_REFITS", 2)
    monkeypatch.setattr("predictors.kinds.stack.weights._DEGREES", 0.1)  # tails so heavy that nobody is ruled out
    adapted(world)
    learning = learner_of(world)
    measure(world, texts(2, 2))
    learning.look()
    first, second = adaptations(world)
    believed = [{one["name"] for one in row.metrics["contenders"] if one["weight"] > 0} for row in (first, second)]
    assert len(believed[0]) == 2
    assert believed[1] == believed[0]
    assert second.metrics["judged_support"] == len(second.support) == len(first.support) + 2
    served = world.forecaster.catalogue.predictors_of(TARGET.id).adapted
    assert served is not None
    assert served.predictor.kind == "stack"


def test_nothing_new_makes_no_adaptation(world: AdaptingWorld) -> None:
    adapted(world)
    learning = learner_of(world)
    learning.look()
    learning.learn(TARGET.id)
    assert len(adaptations(world)) == 1


def test_a_kind_that_takes_long_waits_for_more_rows(world: AdaptingWorld, monkeypatch: pytest.MonkeyPatch) -> None:
    adapted(world)
    learning = learner_of(world)
    monkeypatch.setattr(learner, "QUICK_MS", -1.0)
    monkeypatch.setattr(learner, "SLOW_SHARE", 0.3)
    names = texts(3, 2)
    measure(world, names[:1])
    learning.look()
    assert len(adaptations(world)) == 1
    measure(world, names[1:])
    learning.look()
    assert [len(row.support) for row in adaptations(world)] == [4, 6]


@pytest.mark.slow
def test_whoever_comes_second_drops_what_it_made(world: AdaptingWorld, monkeypatch: pytest.MonkeyPatch) -> None:
    adapted(world)
    one, two = learner_of(world), learner_of(world)
    measure(world, texts(4, 1))
    made = learner.adaptation_to

    def overtaken(*arguments: object, **options: object) -> object:
        monkeypatch.setattr(learner, "adaptation_to", made)
        assert two.learn(TARGET.id)
        return made(*arguments, **options)

    monkeypatch.setattr(learner, "adaptation_to", overtaken)
    assert not one.learn(TARGET.id)
    assert len(adaptations(world)) == 2


def test_noisy_rows_do_not_count_beside_enough_others(world: AdaptingWorld, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("service.learning.support_selection.FEWEST_STEADY", 3)
    measure(world, texts(5, 4))
    with world.database.write.begin() as session:
        ids = list(session.scalars(select(tables.Measurement.id).order_by(tables.Measurement.id)))
        session.execute(update(tables.Measurement).where(tables.Measurement.id.in_(ids[:1])).values(noisy=True))
    with world.database.read() as session:
        assert good_rows(session, TARGET) == ids[1:]
        assert good_rows(session, TARGET, always=ids[:1]) == ids
    monkeypatch.setattr("service.learning.support_selection.FEWEST_STEADY", 4)
    with world.database.read() as session:
        assert good_rows(session, TARGET) == ids


def test_beyond_the_bound_every_family_keeps_rows(world: AdaptingWorld, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("service.learning.support_selection.MOST_LEARNT", 4)
    agent = world.agent()
    world.client.profile(TARGET.id, graphs=[world.graph(width) for width in (1, 2)])
    world.work(agent)
    measure(world, texts(6, 5))
    with world.database.read() as session:
        ids = list(session.scalars(select(tables.Measurement.id).order_by(tables.Measurement.id)))
        assert good_rows(session, TARGET) == [*ids[:2], *ids[-2:]]


def test_what_is_hidden_is_unlearnt_and_comes_back(world: AdaptingWorld) -> None:
    learning = learner_of(world)
    measure(world, texts(10, 3))
    learning.look()
    (all_three,) = adaptations(world)
    with world.database.write.begin() as session:
        hide(session, RowChoice(ids=all_three.support[:1]))
    learning.look()
    active = [row for row in adaptations(world) if row.active]
    assert [row.support for row in active] == [all_three.support[1:]]
    with world.database.write.begin() as session:
        show(session, RowChoice(ids=all_three.support[:1]))
    learning.look()
    assert [row.support for row in adaptations(world) if row.active] == [all_three.support]


def test_rows_that_come_together_are_learnt_in_as_many_transactions_as_one(world: AdaptingWorld) -> None:
    """One for their scores, one for the adaptation, and one more once it is judged."""
    adapted(world)
    learning = learner_of(world)
    commits: list[int] = []  # threads: those of the application look at the database, too

    def note(connection: Connection) -> None:
        if not connection.get_execution_options().get(READ_ONLY, False):
            commits.append(get_ident())

    event.listen(world.database.engine, "commit", note)
    for seed, count in ((20, 1), (21, 4)):
        measure(world, texts(seed, count))
        commits.clear()
        learning.look()
        assert 1 <= commits.count(get_ident()) <= 3
    with world.database.read() as session:
        assert len(session.scalars(select(tables.Score.id)).all()) >= 5


def test_who_waits_longest_is_learnt_first(world: AdaptingWorld, monkeypatch: pytest.MonkeyPatch) -> None:
    """However often others are measured meanwhile."""
    monkeypatch.setattr(learner, "MOST_TARGETS", 1)
    monkeypatch.setattr(learner, "_rows_after", lambda *_arguments: dict.fromkeys(next(seen), ()))
    measure(world, texts(22, 1))
    learning, learnt, seen = Learner(world.database, world.forecaster), [], iter([["a", "b"], ["a"], ["a"]])
    monkeypatch.setattr(learning, "learn", learnt.append)
    for _ in range(3):
        learning._seen = 0
        learning.look()
    assert learnt == ["a", "b", "a"]


def test_one_that_rests_learns_what_came_meanwhile_together(
    world: AdaptingWorld, monkeypatch: pytest.MonkeyPatch
) -> None:
    """It looks, and scores, all the same; and what comes after a rest is learnt at once."""
    clock = [1000.0]
    monkeypatch.setattr(learner, "time", SimpleNamespace(monotonic=lambda: clock[0]))
    measure(world, texts(23, 1))
    learning, learnt = Learner(world.database, world.forecaster, rest=2.0), []
    seen = iter([["a", "b", "c"], ["a"], ["d"], [], ["e"]])

    def learn(target_id: str) -> None:
        learnt.append(target_id)
        clock[0] += 0.6

    def look() -> bool:
        learning._seen = 0
        return learning.look()

    monkeypatch.setattr(learner, "_rows_after", lambda *_arguments: dict.fromkeys(next(seen), ()))
    monkeypatch.setattr(learning, "learn", learn)
    assert not look()
    assert learnt == ["a", "b"], "no longer than a second"
    clock[0] += 2.3  # it learnt for 1.2 s
    assert not look()
    assert learnt == ["a", "b"]
    clock[0] += 0.2
    assert not look()
    assert learnt == ["a", "b", "c", "a"], "what was measured twice is learnt once"
    clock[0] += 2.5
    assert not look()
    assert learnt == ["a", "b", "c", "a", "d"]
    clock[0] += 1.3
    assert not look()
    assert learnt[-1] == "e"


@pytest.mark.slow
def test_an_adaptation_that_an_update_made_unusable_is_made_anew_at_the_next_start(world: AdaptingWorld) -> None:
    """As by a version of latcast that reads networks otherwise."""
    adapted(world)
    (first,) = adaptations(world)
    with world.database.write.begin() as session:
        old = put_artifact(session, replace(read_artifact(session, first.artifact_digest), feature_version="flat-0"))
        session.execute(update(tables.Adaptation).values(artifact_digest=old))
    world.forecaster.catalogue.renew(TARGET.id)
    catalogue = world.forecaster.catalogue
    assert catalogue.predictors_of(TARGET.id).adapted is None
    assert not Learner(world.database, world.forecaster).look()
    again = world.client.predict(TARGET.id, [ITEM])[0]
    assert (again["adapted"], again["measurements"]) == (True, len(first.support))
    assert again["latency_ms"] == pytest.approx(truth_ms(), rel=0.15)
    assert [row.active for row in adaptations(world)] == [False, True]
    assert not Learner(world.database, world.forecaster).learn(TARGET.id)
