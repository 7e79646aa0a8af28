"""What is made answers alone for its target, and only the last few are kept, over both databases."""

import pytest
from sqlalchemy import select

from service.db import tables
from tests.service.learning.test_adaptation import AdaptingWorld, adapted, base, world

__all__ = ["base", "world"]


@pytest.mark.slow
def test_the_last_five_artifacts_of_a_target_are_kept(world: AdaptingWorld) -> None:
    jobs = [adapted(world, speed=1.0 + place / 10) for place in range(6)]
    with world.database.read() as session:
        kept = list(session.scalars(select(tables.Adaptation).order_by(tables.Adaptation.created_unix_s)))
        digests = set(session.scalars(select(tables.Artifact.digest)))
        bases = set(session.scalars(select(tables.Predictor.artifact_digest)))
    assert [row.id for row in kept] == [job["result"]["adaptation_id"] for job in jobs[1:]]
    assert digests == {row.artifact_digest for row in kept} | bases
    assert len(digests) == len(bases) + 5
    assert [row.active for row in kept] == [False] * 4 + [True]
