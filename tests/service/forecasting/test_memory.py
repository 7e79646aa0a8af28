"""Answers in memory are those of the database and the predictor, follow every change, and stay within their bound."""

from collections.abc import Iterator, Sequence
from pathlib import Path

import numpy as np
import pytest

from latcast.errors import ConflictError, NotFoundError
from latcast.schema import InvalidArchitectureError, UnknownNameError
from predictors.data.importers import read_any
from profilers.search_spaces import get_space
from service.db.changes import Changes
from service.db.session import Database
from service.forecasting.forecaster import Forecaster
from service.forecasting.memory import FIRST_ROWS, QUICK_TEXTS, ForecastMemory
from service.forecasting.types import Forecast
from service.graphs.resolver import Item
from service.measurements.table_import import store
from service.settings import Settings
from tests.predictors.tables import latencies
from tests.service.helpers import DirectReader

SPACE = get_space("nasbench201")
RNG = np.random.default_rng(2)
CELLS = list(dict.fromkeys(SPACE.sample(RNG) for _ in range(90)))
MS = latencies(CELLS, 3)
TEXTS = [cell.text for cell in CELLS]
OFA = get_space("ofa_mbv3")


class World:
    """A database with a table of half of the cells, and the memory over it."""

    def __init__(self, database: Database, folder: Path, most_bytes: int = 2**24) -> None:
        self.database, self.folder = database, folder
        self.target = self.load(range(40))
        self.forecaster = Forecaster(Settings(), database, DirectReader())
        self.changes = Changes(database)
        self.changes.look()
        self.memory = ForecastMemory(
            database, self.forecaster.catalogue, self.forecaster.selection, self.changes, most_bytes=most_bytes
        )

    def load(self, rows: Sequence[int], *, factor: float = 1.0, device: str = "phone") -> str:
        lines = [f"{device},nasbench201,{TEXTS[row]},{MS[row] * factor!r}" for row in rows]
        path = self.folder / "t.csv"
        path.write_text("\n".join(["target,space,text,ms", *lines]))
        imported = read_any(path, origin="ours")
        store(self.database, imported)
        return imported.report.targets[0].id

    def told(self, texts: Sequence[str], level: float = 0.9) -> list[Forecast]:
        """What the forecaster answers."""
        items = [Item(space="nasbench201", text=text) for text in texts]
        return self.forecaster.forecast(self.target, items, level)


@pytest.fixture
def world(database: Database, tmp_path: Path) -> Iterator[World]:
    made = World(database, tmp_path)
    yield made
    made.changes.close()


@pytest.mark.parametrize("level", [0.9, 0.5])
def test_answers_are_the_forecasters(world: World, level: float) -> None:
    answers = world.memory.answers(world.target, "nasbench201", TEXTS, level)
    assert answers is not None
    for index, told in enumerate(world.told(TEXTS, level)):
        assert answers.latency_ms[index] == pytest.approx(told.latency_ms, rel=1e-12)
        assert answers.measured[index] == (told.source == "measured") == (index < 40)
        assert answers.coverage[index] == pytest.approx(told.coverage)
        assert answers.statistics.get(index) == told.statistic
        ends = (answers.low_ms[index], answers.high_ms[index])
        if told.interval_ms is None:
            assert np.isnan(ends).all()
        else:
            assert ends == pytest.approx(told.interval_ms, rel=1e-12)
    assert (answers.responder and answers.responder.predictor, answers.origin) == (
        world.told(TEXTS[-1:])[0].predictor,
        "ours",
    )


def test_what_was_asked_before_is_answered_without_the_database(world: World, monkeypatch: pytest.MonkeyPatch) -> None:
    assert world.memory.at_once(world.target, "nasbench201", TEXTS[:1], 0.9) is None, "nothing is known yet"
    first = world.memory.answers(world.target, "nasbench201", TEXTS[:60], 0.9)
    monkeypatch.setattr(world.database, "read", None)
    again = world.memory.at_once(world.target, "nasbench201", [*TEXTS[:60], TEXTS[0]], 0.9)
    assert first is not None
    assert again is not None
    assert again.latency_ms.tolist() == [*first.latency_ms.tolist(), first.latency_ms[0]]
    assert world.memory.at_once(world.target, "nasbench201", TEXTS[60:], 0.9) is not None, "forecasts need no database"


def test_a_measured_text_takes_a_look_at_the_database_the_first_time(world: World) -> None:
    world.memory.answers(world.target, "nasbench201", TEXTS[50:], 0.9)
    assert world.memory.at_once(world.target, "nasbench201", TEXTS[:1], 0.9) is None
    world.memory.answers(world.target, "nasbench201", TEXTS[:1], 0.9)
    assert world.memory.at_once(world.target, "nasbench201", TEXTS[:1], 0.9) is not None


def test_a_change_is_followed_once_it_is_noticed(world: World) -> None:
    before = world.memory.answers(world.target, "nasbench201", TEXTS[39:41], 0.9)
    world.load(range(39, 41), factor=2.0)
    world.changes.look()
    assert world.memory.at_once(world.target, "nasbench201", TEXTS[39:41], 0.9) is None
    after = world.memory.answers(world.target, "nasbench201", TEXTS[39:41], 0.9)
    assert before is not None
    assert after is not None
    assert after.measured.tolist() == [True, True]
    assert after.latency_ms.tolist() == pytest.approx([2 * MS[39], 2 * MS[40]])
    assert before.measured.tolist() == [True, False]


def test_a_change_of_another_target_forgets_nothing(world: World) -> None:
    world.memory.answers(world.target, "nasbench201", TEXTS, 0.9)
    kept = world.memory._kept[world.target, "nasbench201"]
    world.load([0], device="other")
    world.changes.look()
    world.memory.answers(world.target, "nasbench201", TEXTS[:1], 0.9)
    assert world.memory._kept[world.target, "nasbench201"] is kept


def test_texts_that_are_no_architectures_are_errors_of_their_own(world: World) -> None:
    texts = [TEXTS[0], "broken", TEXTS[50]]
    answers = world.memory.answers(world.target, "NAS-Bench-201", texts, 0.9)
    assert answers is not None
    assert isinstance(answers.errors[1], InvalidArchitectureError)
    assert list(answers.errors) == [1]
    assert np.isnan([answers.latency_ms[1], answers.low_ms[1], answers.high_ms[1]]).all()
    assert np.isfinite(answers.latency_ms[[0, 2]]).all()
    assert "broken" not in world.memory._kept[world.target, "nasbench201"]._rows


def test_what_nobody_can_answer(world: World) -> None:
    with pytest.raises(NotFoundError):
        world.memory.answers("none", "nasbench201", TEXTS, 0.9)
    with pytest.raises(UnknownNameError):
        world.memory.answers(world.target, "none", TEXTS, 0.9)
    with pytest.raises(ConflictError):
        world.memory.answers(world.target, "ofa_mbv3", [OFA.example], 0.9)


def test_memory_is_bounded_and_the_least_used_target_goes_first(database: Database, tmp_path: Path) -> None:
    world = World(database, tmp_path, most_bytes=400_000)
    other = world.load(range(30), device="other")
    world.changes.look()
    many = list(dict.fromkeys(SPACE.sample(RNG).text for _ in range(2 * FIRST_ROWS)))
    half = FIRST_ROWS // 2
    for target in (world.target, other):
        world.memory.answers(target, "nasbench201", many[: half + 100], 0.9)
    assert [key[0] for key in world.memory._kept] == [other]
    world.memory.answers(other, "nasbench201", many, 0.9)
    assert not world.memory._kept, "more than the bound in one call is answered and forgotten"
    world.changes.close()


def test_memory_counts_what_texts_are_long(world: World) -> None:
    world.memory.answers(world.target, "nasbench201", TEXTS[:1], 0.9)
    kept = world.memory._kept[world.target, "nasbench201"]
    before = kept.size_bytes
    assert before >= sum(map(len, TEXTS[:30])), "texts that were measured count, too"
    kept._store(["x" * 100_000], np.ones((4, 1)))
    assert kept.size_bytes - before > 100_000


def test_many_new_texts_are_not_read_on_the_event_loop(world: World) -> None:
    world.memory.answers(world.target, "nasbench201", TEXTS[:1], 0.9)
    broken = [f"broken {at}" for at in range(QUICK_TEXTS + 1)]
    assert world.memory.at_once(world.target, "nasbench201", broken, 0.9) is None
    assert world.memory.at_once(world.target, "nasbench201", broken[1:], 0.9) is not None
