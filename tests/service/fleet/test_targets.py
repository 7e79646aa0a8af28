"""Targets that callers name: registered, measured on now, adaptable to, and in lists."""

import pytest

from latcast.errors import ConflictError, NotFoundError
from latcast.schema import InputError
from service.fleet.targets import find_adaptable_target, find_measurable_target, find_target, targets_page
from service.settings import Settings
from tests.service.helpers import OTHER_TARGET, TARGET, World, add_import

SETTINGS = Settings()


def test_a_target_that_a_device_offers_is_measured_on(world: World) -> None:
    world.agent()
    with world.database.read() as session:
        for find, *more in ((find_target,), (find_measurable_target, SETTINGS), (find_adaptable_target, SETTINGS)):
            assert find(session, TARGET.id, *more).id == TARGET.id
            with pytest.raises(NotFoundError, match="GET /v1/targets lists them"):
                find(session, "none", *more)


def test_a_target_that_is_no_longer_offered_is_neither_measured_on_nor_adapted_to(world: World) -> None:
    world.agent([TARGET, OTHER_TARGET])
    world.agent([OTHER_TARGET])
    with world.database.read() as session:
        assert not find_target(session, TARGET.id).offered
        for find, *more in ((find_measurable_target, SETTINGS), (find_adaptable_target, SETTINGS)):
            with pytest.raises(ConflictError, match="no longer offers"):
                find(session, TARGET.id, *more)


def test_a_column_of_a_table_is_adapted_to_without_being_measured_on(world: World) -> None:
    target_id = add_import(world)
    with world.database.read() as session:
        assert find_adaptable_target(session, target_id, SETTINGS).origin
        with pytest.raises(ConflictError, match="column of a public table"):
            find_measurable_target(session, target_id, SETTINGS)


def test_targets_are_listed_by_id(world: World) -> None:
    world.agent([TARGET, OTHER_TARGET])
    ids = sorted([TARGET.id, OTHER_TARGET.id, add_import(world)])
    with world.database.read() as session:
        first = targets_page(session, limit=2)
        second = targets_page(session, limit=2, cursor=first.next_cursor)
        assert [row.id for page in (first, second) for (row,) in page.items] == ids
        assert second.next_cursor is None
        with pytest.raises(InputError):
            targets_page(session, limit=2, cursor=ids[0])
