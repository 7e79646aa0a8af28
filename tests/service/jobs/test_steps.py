"""A kind of job is a class with two steps; what they return says how it goes on."""

from typing import ClassVar

import pytest

from latcast.schema import JobKind
from service.jobs.payloads import AdaptPayload
from service.jobs.steps import Finished, LeasedJob, Steps, Waiting


class Whole(Steps[AdaptPayload]):
    """Jobs that are done in one step."""

    payload: ClassVar[type[AdaptPayload]] = AdaptPayload

    def plan(self, job: LeasedJob[AdaptPayload]) -> Waiting | Finished:
        return Finished(lambda _session: {"samples": job.payload.samples})

    def finish(self, job: LeasedJob[AdaptPayload]) -> Finished:
        raise AssertionError("there are no children to wait for")


def test_steps_serve_the_kind_of_their_payload() -> None:
    assert Whole().payload.kind == JobKind.ADAPT


def test_a_class_that_lacks_a_step_cannot_be_made() -> None:
    class Half(Steps[AdaptPayload]):
        payload = AdaptPayload

        def plan(self, job: LeasedJob[AdaptPayload]) -> Waiting | Finished:
            raise NotImplementedError

    with pytest.raises(TypeError, match="finish"):
        Half()  # type: ignore[abstract]


def test_who_finishes_need_not_announce_it() -> None:
    job = LeasedJob(id="j", lease_token="t", target_id=None, payload=AdaptPayload(samples=2, sampler="random"))
    outcome = Whole().plan(job)
    assert isinstance(outcome, Finished)
    outcome.announce()
    assert outcome.write(None) == {"samples": 2}  # type: ignore[arg-type]  # the session is not used
