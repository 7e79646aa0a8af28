"""The fake backend: what it offers, and how long it says it takes."""

import pytest

from latcast.schema import ProfileSettings
from profilers.backends.fake import FakeBackend
from profilers.feeds import make_feeds
from profilers.testing.backends import BackendSuite, small_models


class TestFake(BackendSuite):
    backend = FakeBackend()
    computes = False


def test_the_fakes_latency_follows_from_the_model() -> None:
    slept: list[float] = []
    backend = FakeBackend(sleep=slept.append)
    for _, spec, model in small_models():
        with backend.open(model.SerializeToString(), ProfileSettings(backend="fake")) as session:
            session.run(make_feeds([spec]))
    convolutions, attention = slept
    assert convolutions == pytest.approx((6 * 20_000 + 4 * 81) / 1e9)
    assert attention == pytest.approx((5 * 20_000 + 10) / 1e9)
