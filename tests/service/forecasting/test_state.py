"""The state that a target's forecasts depend on: another as soon as they may be."""

import pytest

from latcast.errors import NotFoundError
from tests.service.helpers import OTHER_TARGET, TARGET, World


def state(world: World, target: str = TARGET.id) -> str:
    return str(world.client.call("GET", f"/targets/{target}/state")["state"])


def test_a_measurement_changes_the_state_of_its_target_alone(world: World) -> None:
    agent = world.agent([TARGET, OTHER_TARGET])
    before, other = state(world), state(world, OTHER_TARGET.id)
    assert before == state(world)
    world.measure(agent, 3, ms=2.0)
    assert state(world) != before
    assert state(world, OTHER_TARGET.id) == other


def test_a_target_that_nobody_registered_has_none(world: World) -> None:
    with pytest.raises(NotFoundError):
        state(world, "nobody")
