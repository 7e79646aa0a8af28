"""Counts of each target's measurements: whole once, then by what was added, and anew where earlier rows changed."""

from dataclasses import replace

import pytest
from sqlalchemy import event

from service.measurements import counts
from service.measurements.counts import MeasuredCounts
from tests.service.helpers import DEVICE, TARGET, World, add_row


def counted(world: World, made: MeasuredCounts) -> int:
    with world.database.read() as session:
        return made.of(session).get(TARGET.id, 0)


@pytest.mark.slow
@pytest.mark.parametrize("newest", [0, 2, 200])
def test_what_is_added_is_counted_and_failures_are_not(
    measured: World, newest: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(counts, "NEWEST", newest)
    made = MeasuredCounts()
    before = counted(measured, made)
    assert before == measured.client.target(TARGET.id)["measurements"] == 6
    for number in range(4):
        add_row(measured, measured.graph(4), median_ms=1.0 + number)
        assert counted(measured, made) == before + number + 1
    add_row(measured, measured.graph(4), median_ms=None, failure_stage="run")
    assert counted(measured, made) == before + 4


def test_hidden_rows_count_no_more_and_again_when_they_are_shown(
    measured: World, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(counts, "NEWEST", 0)
    made = MeasuredCounts()
    before = counted(measured, made)
    row = next(iter(measured.client.measurements(TARGET.id, outcome="measured")))["id"]
    body = {"ids": [row]}
    assert measured.http.post("/v1/measurements/hide", json=body).status_code == 200
    assert counted(measured, made) == before - 1
    assert measured.http.post("/v1/measurements/show", json=body).status_code == 200
    assert counted(measured, made) == before


def test_a_target_that_is_called_otherwise_keeps_its_number(
    keyed: tuple[World, dict[str, str]], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(counts, "NEWEST", 0)
    world, keys = keyed
    agent = world.client_with(keys["agent"])
    world.measure(agent)
    made = MeasuredCounts()
    assert counted(world, made) == 1
    device = replace(DEVICE, fingerprint="with-hardware")
    target = replace(TARGET, device=device.fingerprint)
    agent.register(device, [target], former_fingerprint=DEVICE.fingerprint)
    with world.database.read() as session:
        assert dict(made.of(session)) == {target.id: 1}


def test_earlier_rows_are_not_read_again(measured: World, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(counts, "NEWEST", 0)
    made = MeasuredCounts()
    counted(measured, made)
    statements: list[str] = []
    engine = measured.database.engine
    event.listen(engine, "before_cursor_execute", lambda *arguments: statements.append(str(arguments[2:4])))
    counted(measured, made)
    counts_of_rows = [text for text in statements if "count(*)" in text]
    assert len(counts_of_rows) == 1
    assert "measurement.id > " in counts_of_rows[0]
    assert made._counted.last_id > 0
