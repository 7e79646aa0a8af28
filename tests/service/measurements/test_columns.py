"""Columns of a target: what the database has, and later what was added."""

import numpy as np
from sqlalchemy import select

from service.db import tables
from service.measurements.columns import NO_AGENT, loaded
from service.measurements.representative import representative_ids
from tests.service.helpers import TARGET, World, add_import, add_row


def test_they_hold_every_row_and_grow(measured: World) -> None:
    with measured.database.read() as session:
        first = loaded(session, TARGET.id)
    assert len(first) == 7
    assert int(np.isnan(first.ms).sum()) == 1
    assert first.noisy.sum() == 1
    assert (first.flops > 0).all()
    assert first.networks.with_operator("MatMul").all()
    add_row(measured, measured.graph(12), median_ms=12.0)
    with measured.database.read() as session:
        second = loaded(session, TARGET.id, first)
        assert loaded(session, TARGET.id, second) is second
    assert (len(first), len(second)) == (7, 8)
    assert len(first.networks.flops) + 1 == len(second.networks.flops)
    assert first.version != second.version


def test_who_reported_a_row_and_what_was_timed(measured: World) -> None:
    add_row(measured, measured.graph(3), median_ms=3.0, feeds_key="own")
    with measured.database.read() as session:
        columns = loaded(session, TARGET.id)
        (agent,) = session.scalars(select(tables.Agent.id))
    assert [columns.agents[place] for place in columns.agent] == [agent] * 7 + [NO_AGENT]
    assert columns.own_feeds.tolist() == [False] * 7 + [True]
    assert columns.with_kernels.tolist() == [True] * 6 + [False] * 2


def test_the_newest_row_represents_a_network_unless_it_is_noisy_or_has_feeds_of_its_own(measured: World) -> None:
    add_row(measured, measured.graph(3), median_ms=3.5, feeds_key="own")
    add_row(measured, measured.graph(2), median_ms=2.5)
    with measured.database.read() as session:
        columns = loaded(session, TARGET.id)
        expected = representative_ids(session, target_ids=[TARGET.id])
    rows = columns.representatives
    assert sorted(columns.ids[rows[rows >= 0]].tolist()) == expected
    assert (rows < 0).sum() == 1, "one network only failed"


def test_public_tables_have_families_and_no_flops(world: World) -> None:
    target_id = add_import(world)
    with world.database.read() as session:
        columns = loaded(session, target_id)
    assert columns.ms.tolist() == [7.0]
    assert columns.networks.families == ["nasbench201"]
    assert np.isnan(columns.flops).all()


def test_a_target_without_rows_has_empty_columns(world: World) -> None:
    with world.database.read() as session:
        assert len(loaded(session, "none")) == 0
