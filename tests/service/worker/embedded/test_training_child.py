"""The process for trainings ends by itself when none waits."""

import pytest

from service.worker.embedded.process import BesideService
from service.worker.embedded.supervisor import TRAINING
from tests.service.helpers import World


@pytest.mark.slow
def test_it_ends_at_once_where_nothing_waits(world: World) -> None:
    beside = BesideService(TRAINING, world.settings)
    assert beside.wait(120.0) == 0
    assert beside.exit_code() == 0
