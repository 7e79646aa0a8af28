"""Jobs as sources lease them."""

from latcast.schema import FeedSpec, LatcastError, ProfileSettings, from_plain, to_plain
from profilers.agent.jobs import Job, SourceUnavailableError


def test_a_job_survives_the_spool() -> None:
    job = Job(
        id="1", lease_token="t", graph="g1-0", settings=ProfileSettings(backend="fake", threads=2),
        feeds=(FeedSpec(name="x", dtype="float32", shape=(1, 3)),), lease_seconds=5.0,
    )  # fmt: skip
    assert from_plain(Job, to_plain(job)) == job


def test_a_source_that_is_away_is_an_error_for_people() -> None:
    assert issubclass(SourceUnavailableError, LatcastError)
