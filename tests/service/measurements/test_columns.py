"""Columns of a target: what the database has, and later what was added."""

import numpy as np

from service.measurements.columns import loaded
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
