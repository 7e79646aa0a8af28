"""Widths of a target's intervals follow what was measured after they were given, over both databases."""

import numpy as np
import pytest

from service.learning.interval_scales import interval_scales, score_of
from tests.service.helpers import TARGET
from tests.service.learning.test_adaptation import AdaptingWorld, adapted, base, world
from tests.service.worker.test_learner import ITEM, learner_of, measure, texts

__all__ = ["base", "world"]


def test_a_score_is_the_miss_over_the_half_width() -> None:
    assert score_of(10.0, 20.0, np.log(2)) == pytest.approx(1.0)
    assert score_of(20.0, 10.0, np.log(4)) == pytest.approx(0.5)
    assert score_of(10.0, 20.0, None) is None


@pytest.mark.slow
def test_intervals_widen_when_the_host_slows_down(world: AdaptingWorld) -> None:
    adapted(world)
    learning = learner_of(world)
    learning.learn = lambda _: False  # so that the adaptation stays, and nothing but the width follows
    width = [_log_width(world)]
    for place in range(3):
        measure(world, texts(20 + place, 1), speed=3.0)
        learning.look()
        width.append(_log_width(world))
    assert width == sorted(set(width))
    with world.database.read() as session:
        assert interval_scales(session, TARGET.id) == {("", True): pytest.approx(np.exp(3 * 0.15 * 0.9))}
    assert width[-1] == pytest.approx(width[0] * np.exp(3 * 0.15 * 0.9))


def _log_width(world: AdaptingWorld) -> float:
    world.app.state.parts.changes.look()  # which the service does ten times a second
    low, high = world.client.predict(TARGET.id, [ITEM])[0]["interval_ms"]
    return float(np.log(high / low))
