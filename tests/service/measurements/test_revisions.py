"""A target's state tells of new rows and of earlier ones that changed; those of other targets leave it alone."""

from service.measurements.revisions import revise, rows_state
from tests.service.helpers import OTHER_TARGET, TARGET, World


def test_rows_that_come_and_rows_that_change_are_told_apart(world: World) -> None:
    agent = world.agent([TARGET, OTHER_TARGET])
    with world.database.read() as session:
        assert rows_state(session, TARGET.id) == (None, 0)
    row = world.measure(agent)
    with world.database.write.begin() as session:
        revise(session, {TARGET.id})
    with world.database.read() as session:
        assert rows_state(session, TARGET.id) == (row, 1)
        assert rows_state(session, OTHER_TARGET.id) == (None, 0)
        assert rows_state(session, "none") == (None, None)
