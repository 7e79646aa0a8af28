"""Kinds and states of jobs are their texts, wherever they come from."""

import json
from dataclasses import dataclass

import pytest

from latcast.schema import FINISHED_STATES, InputError, JobKind, JobState, LeaseOutcome, from_plain, to_plain


@dataclass(frozen=True)
class Note:
    kind: JobKind
    state: JobState | None = None


def test_a_state_out_of_json_is_the_member():
    assert {state for state in json.loads('["queued", "done", "failed"]') if state in FINISHED_STATES} == {
        JobState.DONE,
        JobState.FAILED,
    }


def test_finished_are_all_states_but_those_with_work_left():
    assert set(JobState) - FINISHED_STATES == {JobState.QUEUED, JobState.LEASED}
    assert {outcome.value for outcome in LeaseOutcome} - set(JobState) == {"expired", "released"}


def test_members_survive_the_way_to_plain_values_and_back():
    note = Note(kind=JobKind.ADAPT, state=JobState.CANCELLED)
    plain = to_plain(note)
    assert plain == {"kind": "adapt", "state": "cancelled"}
    assert type(plain["kind"]) is str
    assert from_plain(Note, plain) == note


@pytest.mark.parametrize("kind", ["nothing", 3, None])
def test_a_text_that_is_no_member_is_refused_with_those_that_are(kind):
    with pytest.raises(InputError, match=r"kind: expected one of 'profile', 'adapt', 'train', found"):
        from_plain(Note, {"kind": kind})
