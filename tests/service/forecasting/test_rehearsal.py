"""The service gets to know search spaces while nobody waits: later calls find what they need, and say the same."""

from collections.abc import Callable, Sequence
from threading import Thread
from threading import enumerate as enumerate_threads
from types import SimpleNamespace
from typing import Any

import numpy as np
import pytest
from fastapi.testclient import TestClient
from sqlalchemy import select, update

from latcast.schema import Architecture, JobKind, JobState, LatcastError
from predictors.base import LatencyDataset, Query
from predictors.networks import Feature, GraphFeatures
from predictors.registry import pretrained
from profilers.onnx_graph.isolated.pool import Source
from profilers.search_spaces import SearchSpace, get_space
from service.app import create_app
from service.db import tables
from service.forecasting import rehearsal as module
from service.forecasting.forecaster import Forecaster
from service.forecasting.rehearsal import Rehearsal
from service.forecasting.types import Forecast
from service.forecasting.waiting_calls import WaitingCalls
from service.graphs.resolver import Item
from service.learning.artifacts import put_artifact
from service.settings import Settings
from tests.service.helpers import TARGET, DirectReader, World


class Calls(WaitingCalls):
    """Has been quiet for as long as is wanted, once calls are over."""

    def quiet_s(self) -> float:
        return 0.0 if self._under_way else float("inf")


class Interrupting(DirectReader):
    """Does something once, before the next model that it reads."""

    def __init__(self) -> None:
        super().__init__()
        self.first: Callable[[], None] | None = None

    def read(self, source: Source, features: Sequence[Feature]) -> GraphFeatures:
        if self.first is not None:
            first, self.first = self.first, None
            first()
        return super().read(source, features)


def drawn(space: str, count: int, *, seed: int = 3) -> list[Architecture]:
    rng = np.random.default_rng(seed)
    return [get_space(space).sample(rng) for _ in range(count)]


def activate(world: World, *, speed: float = 1.0) -> None:
    """Adapt what is shipped to a few networks, and let that be the target's active adaptation."""
    base = pretrained("universal-graphs")
    queries = [Query(target=TARGET, architecture=each) for each in drawn("fbnet", 4, seed=8)]
    adapted = base.adapt(TARGET, LatencyDataset(queries=queries, latency_ms=speed * base.predict(queries).median_ms))
    with world.database.write.begin() as session:
        session.execute(update(tables.Adaptation).values(active=False))
        digest = put_artifact(session, base.to_artifact())
        predictor = session.scalar(select(tables.Predictor).where(tables.Predictor.artifact_digest == digest))
        if predictor is None:
            predictor = tables.Predictor(kind=base.kind, artifact_digest=digest, metrics={})
            session.add(predictor)
            session.flush()
        session.add(
            tables.Adaptation(
                predictor_id=predictor.id,
                target_id=TARGET.id,
                support=[],
                artifact_digest=put_artifact(session, adapted.to_artifact()),
                metrics={},
                active=True,
            )
        )


@pytest.fixture(autouse=True)
def one_space(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(module, "space_names", lambda: ["fbnet"])


@pytest.fixture
def reader() -> Interrupting:
    return Interrupting()


@pytest.fixture
def forecaster(world: World, reader: Interrupting) -> Forecaster:
    world.agent()
    return Forecaster(Settings(database_url=world.settings.database_url), world.database, reader)


def rehearse(rehearsal: Rehearsal, *, looks: int = 500) -> None:
    for _ in range(looks):
        if not rehearsal.look():
            return
    raise AssertionError("it does not end")


@pytest.fixture
def items() -> list[Item]:
    return [Item(space=each.space, text=each.text) for each in drawn("fbnet", 20)]


def values(answers: Sequence[object]) -> list[tuple[float, ...]]:
    assert all(isinstance(each, Forecast) for each in answers), answers
    return [(each.latency_ms, *(each.interval_ms or ())) for each in answers if isinstance(each, Forecast)]


def test_later_calls_read_nothing_and_say_what_they_would_have_said(
    world: World, forecaster: Forecaster, reader: DirectReader, items: list[Item]
) -> None:
    activate(world)
    expected = Forecaster(Settings(database_url=world.settings.database_url), world.database, DirectReader()).forecast(
        TARGET.id, items, 0.9
    )
    rehearse(Rehearsal(world.database, forecaster, Calls()))
    read = reader.calls["kernels_of_part"]
    assert read > 100
    answers = forecaster.forecast(TARGET.id, items, 0.9)
    assert reader.calls["kernels_of_part"] == read
    assert reader.calls["build"] == 0
    np.testing.assert_allclose(values(answers), values(expected), rtol=1e-6)


def test_nothing_is_rehearsed_before_a_target_was_adapted(
    world: World, forecaster: Forecaster, reader: DirectReader
) -> None:
    rehearsal = Rehearsal(world.database, forecaster, Calls())
    assert not rehearsal.look()
    assert not reader.calls
    activate(world)
    assert rehearsal.look()
    assert reader.calls["kernels_of_part"] > 0


def test_it_waits_while_somebody_waits_and_while_something_is_measured(
    world: World, forecaster: Forecaster, reader: DirectReader
) -> None:
    activate(world)
    calls = Calls()
    rehearsal = Rehearsal(world.database, forecaster, calls)
    with calls.under_way():
        assert not rehearsal.look()
    world.client.profile(TARGET.id, graphs=[world.graph()])
    assert world.agent().lease(wait_s=0) is not None
    assert not rehearsal.look()
    assert not reader.calls["kernels_of_part"]
    with world.database.write.begin() as session:
        changed = session.execute(
            update(tables.Job).where(tables.Job.kind == JobKind.PROFILE).values(state=JobState.CANCELLED)
        )
        assert changed.rowcount == 1  # type: ignore[attr-defined]
    assert rehearsal.look()


def test_a_call_that_has_just_ended_is_followed_by_another(
    world: World, forecaster: Forecaster, reader: DirectReader
) -> None:
    activate(world)
    calls = WaitingCalls()
    with calls.under_way():
        pass
    assert not Rehearsal(world.database, forecaster, calls).look()
    assert not reader.calls


def test_it_makes_way_in_the_middle_of_a_turn_and_goes_on_later(
    world: World, forecaster: Forecaster, reader: Interrupting, items: list[Item]
) -> None:
    activate(world)
    calls = Calls()
    rehearsal = Rehearsal(world.database, forecaster, calls)

    def comes() -> None:
        def call() -> None:
            with calls.under_way():
                pass

        thread = Thread(target=call)
        thread.start()
        thread.join()

    reader.first = comes
    assert not rehearsal.look()
    assert reader.calls["kernels_of_part"] < 100
    rehearse(rehearsal)
    read = reader.calls["kernels_of_part"]
    values(forecaster.forecast(TARGET.id, items, 0.9))
    assert reader.calls["kernels_of_part"] == read


def test_another_adaptation_is_rehearsed_anew(world: World, forecaster: Forecaster, reader: DirectReader) -> None:
    activate(world)
    rehearsal = Rehearsal(world.database, forecaster, Calls())
    rehearse(rehearsal)
    assert not rehearsal.look()
    activate(world, speed=2.0)
    assert rehearsal.look()


@pytest.mark.parametrize("where", ["plug-in", "forecast"])
def test_a_space_that_fails_is_left_for_the_next(
    world: World, forecaster: Forecaster, reader: DirectReader, monkeypatch: pytest.MonkeyPatch, where: str
) -> None:
    activate(world)
    monkeypatch.setattr(module, "space_names", lambda: ["broken", "fbnet"])

    def broken(name: str) -> SearchSpace:
        if name == "broken" and where == "plug-in":
            raise LatcastError("The plug-in does not load.")
        return get_space("mnasnet" if name == "broken" else name)

    def of(predictors: Any, space: str) -> Any:
        if space == "broken":
            raise LatcastError("Nobody reads this.")
        return ask(predictors, space)

    monkeypatch.setattr(module, "get_space", broken)
    ask = forecaster.selection.of
    monkeypatch.setattr(forecaster.selection, "of", of)
    said: list[tuple[str, str]] = []

    def note(event: str, *, space: str, **_: object) -> None:
        said.append((event, space))

    monkeypatch.setattr(module, "log", SimpleNamespace(info=note, warning=note))
    rehearse(Rehearsal(world.database, forecaster, Calls()))
    assert said == [("not rehearsed", "broken"), ("rehearsed", "fbnet")]
    assert reader.calls["kernels_of_part"] > 100


def test_settings_switch_it_off(new_sqlite: str) -> None:
    def threads(*, rehearses: bool, rehearse: bool = True) -> set[str]:
        settings = Settings(database_url=new_sqlite, rehearse=rehearse)
        with TestClient(create_app(settings, in_background=False, rehearses=rehearses)):
            return {each.name for each in enumerate_threads()}

    assert "rehearsal" in threads(rehearses=True)
    assert "rehearsal" not in threads(rehearses=True, rehearse=False)
    assert "rehearsal" not in threads(rehearses=False)
