"""Answers in memory are those of the database and the predictor, follow every change, and stay within their bound."""

from collections.abc import Iterator, Sequence
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from latcast.errors import ConflictError, NotFoundError
from latcast.schema import InvalidArchitectureError, UnknownNameError
from predictors.data.importers import read_any
from predictors.kinds.flops import FlopsPredictor
from profilers.search_spaces import get_space
from service.db import records
from service.db.changes import Changes
from service.db.session import Database
from service.forecasting.columns import Answers
from service.forecasting.forecaster import Forecaster
from service.forecasting.memory import FIRST_ROWS, QUICK_TEXTS, ForecastMemory, Remembered
from service.forecasting.types import Forecast
from service.graphs.resolver import Item
from service.learning.catalogue import ServedPredictor
from service.measurements.table_import import store
from service.settings import Settings
from tests.predictors.tables import latencies
from tests.service.helpers import DEVICE, TARGET, DirectReader

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


def answered(world: World, target: str, space: str, texts: Sequence[str], level: float) -> Answers | None:
    prepared = world.memory.prepare(target, space, texts)
    return None if prepared is None else prepared.answers(level)


@pytest.fixture
def world(database: Database, tmp_path: Path) -> Iterator[World]:
    made = World(database, tmp_path)
    yield made
    made.changes.close()


@pytest.mark.parametrize("level", [0.9, 0.5])
def test_answers_are_the_forecasters(world: World, level: float) -> None:
    answers = answered(world, world.target, "nasbench201", TEXTS, level)
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
    assert world.memory.at_once(world.target, "nasbench201", TEXTS[:1]) is None, "nothing is known yet"
    first = answered(world, world.target, "nasbench201", TEXTS[:60], 0.9)
    monkeypatch.setattr(world.database, "read", None)
    again = world.memory.at_once(world.target, "nasbench201", [*TEXTS[:60], TEXTS[0]])
    assert first is not None
    assert again is not None
    assert again.answers(0.9).latency_ms.tolist() == [*first.latency_ms.tolist(), first.latency_ms[0]]
    assert world.memory.at_once(world.target, "nasbench201", TEXTS[60:]) is not None, "forecasts need no database"


def test_a_measured_text_takes_a_look_at_the_database_the_first_time(world: World) -> None:
    answered(world, world.target, "nasbench201", TEXTS[50:], 0.9)
    assert world.memory.at_once(world.target, "nasbench201", TEXTS[:1]) is None
    answered(world, world.target, "nasbench201", TEXTS[:1], 0.9)
    assert world.memory.at_once(world.target, "nasbench201", TEXTS[:1]) is not None


def test_a_change_is_followed_once_it_is_noticed(world: World) -> None:
    before = answered(world, world.target, "nasbench201", TEXTS[39:41], 0.9)
    world.load(range(39, 41), factor=2.0)
    world.changes.look()
    assert world.memory.at_once(world.target, "nasbench201", TEXTS[39:41]) is None
    after = answered(world, world.target, "nasbench201", TEXTS[39:41], 0.9)
    assert before is not None
    assert after is not None
    assert after.measured.tolist() == [True, True]
    assert after.latency_ms.tolist() == pytest.approx([2 * MS[39], 2 * MS[40]])
    assert before.measured.tolist() == [True, False]


def test_a_change_of_another_target_forgets_nothing(world: World) -> None:
    answered(world, world.target, "nasbench201", TEXTS, 0.9)
    kept = world.memory._kept[world.target, "nasbench201"]
    world.load([0], device="other")
    world.changes.look()
    answered(world, world.target, "nasbench201", TEXTS[:1], 0.9)
    assert world.memory._kept[world.target, "nasbench201"] is kept


def test_texts_that_are_no_architectures_are_errors_of_their_own(world: World) -> None:
    texts = [TEXTS[0], "broken", TEXTS[50]]
    answers = answered(world, world.target, "NAS-Bench-201", texts, 0.9)
    assert answers is not None
    assert isinstance(answers.errors[1], InvalidArchitectureError)
    assert list(answers.errors) == [1]
    assert np.isnan([answers.latency_ms[1], answers.low_ms[1], answers.high_ms[1]]).all()
    assert np.isfinite(answers.latency_ms[[0, 2]]).all()
    assert "broken" not in world.memory._kept[world.target, "nasbench201"]._rows


def test_what_nobody_can_answer(world: World) -> None:
    with pytest.raises(NotFoundError):
        answered(world, "none", "nasbench201", TEXTS, 0.9)
    with pytest.raises(UnknownNameError):
        answered(world, world.target, "none", TEXTS, 0.9)
    with pytest.raises(ConflictError):
        answered(world, world.target, "ofa_mbv3", [OFA.example], 0.9)


def test_memory_is_bounded_and_the_least_used_target_goes_first(database: Database, tmp_path: Path) -> None:
    world = World(database, tmp_path, most_bytes=400_000)
    other = world.load(range(30), device="other")
    world.changes.look()
    many = list(dict.fromkeys(SPACE.sample(RNG).text for _ in range(2 * FIRST_ROWS)))
    half = FIRST_ROWS // 2
    for target in (world.target, other):
        answered(world, target, "nasbench201", many[: half + 100], 0.9)
    assert [key[0] for key in world.memory._kept] == [other]
    answered(world, other, "nasbench201", many, 0.9)
    assert not world.memory._kept, "more than the bound in one call is answered and forgotten"
    world.changes.close()


def test_memory_counts_what_texts_are_long(world: World) -> None:
    answered(world, world.target, "nasbench201", TEXTS[:1], 0.9)
    kept = world.memory._kept[world.target, "nasbench201"]
    before = kept.size_bytes
    assert before >= sum(map(len, TEXTS[:30])), "texts that were measured count, too"
    kept._store(["x" * 100_000], np.ones((4, 1)))
    assert kept.size_bytes - before > 100_000


def test_many_new_texts_are_not_read_on_the_event_loop(world: World) -> None:
    answered(world, world.target, "nasbench201", TEXTS[:1], 0.9)
    broken = [f"broken {at}" for at in range(QUICK_TEXTS + 1)]
    assert world.memory.at_once(world.target, "nasbench201", broken) is None
    assert world.memory.at_once(world.target, "nasbench201", broken[1:]) is not None


def test_lines_are_written_once_for_each_level(world: World) -> None:
    written: list[int] = []

    def write(answers: Answers) -> list[str]:
        written.append(len(answers.latency_ms))
        return [f"{value!r} {index in answers.errors}" for index, value in enumerate(answers.high_ms.tolist())]

    def lines(texts: Sequence[str], level: float = 0.9) -> list[str]:
        prepared = world.memory.prepare(world.target, "nasbench201", texts)
        assert prepared is not None
        return prepared.lines(level, write)

    texts = [TEXTS[0], "broken", TEXTS[50], TEXTS[0]]
    first = lines(texts)
    assert first == lines(texts)
    assert [line.endswith("True") for line in first] == [False, True, False, False]
    assert (first[0], written) == (first[3], [3, 1]), "an error is written each time, the rest once"
    assert lines(TEXTS[50:52])[0] == first[2]
    assert lines(TEXTS[50:51], level=0.5) != [first[2]]
    assert written == [3, 1, 1, 1]


def test_answers_are_counted_by_where_they_came_from(world: World) -> None:
    prepared = world.memory.prepare(world.target, "nasbench201", [*TEXTS[38:42], TEXTS[38], "broken", "broken"])
    assert prepared is not None
    assert prepared.counts() == (3, 2, 2)


def test_lines_count_towards_the_bound(database: Database, tmp_path: Path) -> None:
    world = World(database, tmp_path, most_bytes=100_000)
    prepared = world.memory.prepare(world.target, "nasbench201", TEXTS)
    assert prepared is not None
    assert world.memory._kept
    lines = prepared.lines(0.9, lambda answers: ["x" * 1000] * len(answers.latency_ms))
    assert len(lines) == 90
    assert not world.memory._kept


def test_answers_of_others_are_taken_only_while_nothing_changed(world: World) -> None:
    with world.database.write.begin() as session:
        session.add(device := records.device_row(DEVICE))
        session.add(records.target_row(TARGET, device))
    world.changes.look()
    texts = [*TEXTS[:3], "broken"]
    assert world.memory.prepare(TARGET.id, "nasbench201", texts) is None, "graphs have to be built"
    told = world.forecaster.forecast(TARGET.id, [Item(space="nasbench201", text=text) for text in texts], 0.5)
    generation = world.changes.generation
    world.memory.take(TARGET.id, "nasbench201", texts, told, level=0.5, generation=generation - 1)
    assert world.memory.prepare(TARGET.id, "nasbench201", texts[:3]) is None, "they are from before a change"
    world.memory.take(TARGET.id, "nasbench201", texts, told, level=0.5, generation=generation)
    assert world.memory.prepare(TARGET.id, "nasbench201", texts) is None, "errors are not remembered"
    prepared = world.memory.at_once(TARGET.id, "nasbench201", texts[:3])
    assert prepared is not None
    answers = prepared.answers(0.5)
    for index, one in enumerate(told[:3]):
        assert isinstance(one, Forecast)
        assert (answers.low_ms[index], answers.high_ms[index]) == pytest.approx(one.interval_ms, rel=1e-12)
    assert answers.responder is not None
    assert not answers.responder.adapted


def test_answers_of_another_responder_are_not_taken(world: World) -> None:
    remembered = Remembered(
        TARGET, "nasbench201", ServedPredictor(id="mine", predictor=FlopsPredictor(), adapted=False), 0, frozenset()
    )
    one = Forecast(
        latency_ms=2.0, interval_ms=(1.0, 4.0), source="predicted", coverage=0.5, adapted=False, predictor="mine"
    )
    others = [replace(one, predictor="other"), replace(one, unknown_operators=("X",)), replace(one, measurements=3)]
    measured = replace(one, source="measured", predictor=None, adapted=True, measurements=1, statistic="median")
    texts = ["a", "b", "c", "d", "e"]
    remembered.take(texts, [one, *others, measured], 0.9)
    assert remembered.missing(texts) == ["b", "c", "d"]
    answers = remembered.answers(["a", "e"], 0.9, {})
    assert answers.low_ms.tolist() == pytest.approx([1.0, 1.0])
    assert (answers.measured.tolist(), answers.statistics) == ([False, True], {1: "median"})
