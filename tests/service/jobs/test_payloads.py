"""Payloads are read out of rows as they were written, and what does not fit is refused."""

import json

import pytest

from latcast.schema import FeedSpec, InputError, JobKind, ProfileSettings
from service.db import tables
from service.jobs.payloads import AdaptPayload, Payload, Pool, ProfilePayload, TrainPayload, parsed, stored

PROFILE = ProfilePayload(
    settings=ProfileSettings(backend="fake", threads=2, options={"level": "all"}),
    feeds=(FeedSpec(name="x", dtype="float32", shape=(1, 8), low=0.0, high=1.0),),
)
ADAPT = AdaptPayload(
    samples=3,
    sampler="random",
    pool=Pool(space=("zoo",)),
    settings={"kernels": True, "processes": 2, "max_seconds": 1.5},
)


def row(payload: object) -> tables.Job:
    return tables.Job(id="j", payload=payload)


@pytest.mark.parametrize("payload", [PROFILE, ADAPT, AdaptPayload(samples=1, sampler="quantile")])
def test_a_payload_survives_its_row(payload: Payload) -> None:
    assert parsed(type(payload), row(json.loads(json.dumps(stored(payload))))) == payload


def test_kinds_are_those_of_the_records() -> None:
    assert {cls.kind for cls in (ProfilePayload, AdaptPayload, TrainPayload)} == set(JobKind)
    assert "kind" not in stored(ADAPT)


def test_what_was_asked_for_is_shown_under_its_names() -> None:
    assert stored(ADAPT) == {
        "samples": 3,
        "sampler": "random",
        "pool": {"space": ["zoo"], "graphs": []},
        "settings": {"kernels": True, "processes": 2, "max_seconds": 1.5},
        "seed": 0,
        "predictor": None,
    }


@pytest.mark.parametrize(
    ("payload", "said"),
    [
        ({"samples": 3}, "payload of job j: the field 'sampler' is missing"),
        ({**stored(ADAPT), "claim": {}}, "unknown field 'claim'"),
        ({**stored(ADAPT), "pool": {"space": "zoo"}}, "pool.space: expected a list"),
        ({**stored(ADAPT), "settings": {"kernels": None}}, "settings.kernels: expected"),
    ],
)
def test_a_row_that_does_not_fit_is_refused_with_the_place(payload: object, said: str) -> None:
    with pytest.raises(InputError, match=said):
        parsed(AdaptPayload, row(payload))


def test_what_no_database_keeps_is_refused() -> None:
    with pytest.raises(InputError):
        stored(AdaptPayload(samples=1, sampler="zero\0byte"))
