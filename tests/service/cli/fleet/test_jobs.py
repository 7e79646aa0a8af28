"""`latcast jobs` and `latcast cancel`: what is asked of devices and how it goes."""

import json
from typing import Any

import pytest
from typer.testing import CliRunner

from latcast.schema import Failure
from service.cli.fleet import jobs as module
from service.cli.main import app
from tests.service.cli.doubles import FakeClient
from tests.service.helpers import OTHER_TARGET, TARGET, World


@pytest.fixture
def served(world: World, monkeypatch: pytest.MonkeyPatch) -> World:
    monkeypatch.setattr("service.cli.fleet.jobs.open_client", lambda *_: world.client_with(None))
    world.agent((TARGET, OTHER_TARGET))
    return world


def run(*arguments: str) -> Any:
    return CliRunner().invoke(app, list(arguments))


def made(world: World, target: str = TARGET.id) -> str:
    return str(world.client.profile(target, graphs=[world.graph()])[0]["id"])


def test_jobs_are_listed_newest_first_and_filtered(served: World) -> None:
    assert "No jobs." in run("jobs").stdout
    first, second = made(served), made(served, OTHER_TARGET.id)
    lines = run("jobs").stdout.splitlines()
    assert [line.split()[0] for line in lines[1:]] == [second, first]
    assert "queued" in lines[1]
    assert first not in run("jobs", "--target", OTHER_TARGET.id).stdout
    assert second not in run("jobs", "--state", "done").stdout
    assert [job["id"] for job in json.loads(run("jobs", "--limit", "1", "--json", "-").stdout)] == [second]


def test_a_job_is_shown_with_why_it_failed(served: World) -> None:
    agent = served.agent()
    job_id = made(served)
    for _ in range(3):
        leased = agent.lease(wait_s=0)
        assert leased is not None
        agent.failure(leased["id"], leased["lease_token"], Failure(stage="crash", message="It [broke]."))
    shown = run("jobs", job_id[-6:]).stdout
    words = " ".join(shown.split())
    assert "state failed" in words
    assert "because It [broke]." in words
    assert json.loads(run("jobs", job_id, "--json", "-").stdout)["state"] == "failed"


def test_jobs_are_cancelled_by_a_part_of_their_id(served: World) -> None:
    job_id = made(served)
    done = run("cancel", job_id[-8:])
    assert done.stdout.strip() == f"{job_id}: cancelled"
    assert served.client.job(job_id)["state"] == "cancelled"


def test_an_unknown_job_keeps_no_other_from_being_cancelled(served: World) -> None:
    jobs = [made(served), made(served, OTHER_TARGET.id)]
    done = run("cancel", jobs[0], "zzz", jobs[1])
    assert done.exit_code == 1
    assert done.stdout.splitlines() == [f"{job_id}: cancelled" for job_id in jobs]
    assert "latcast: zzz: Unknown job 'zzz'" in done.stderr


def test_a_part_that_fits_none_or_several_is_refused(served: World) -> None:
    assert "Unknown job 'zzz'" in str(run("cancel", "zzz").exception)
    jobs = [made(served), made(served, OTHER_TARGET.id)]
    shared = jobs[0][:1]
    if jobs[1].startswith(shared):
        assert "Several jobs fit" in str(run("cancel", shared).exception)


def test_nothing_stands_for_no_job(served: World) -> None:
    only = made(served)
    assert "Unknown job ''" in str(run("cancel", "").exception)
    assert served.client.job(only)["state"] == "queued"


def test_watching_prints_changes_until_all_have_ended(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(module, "WATCH_SECONDS", 0.0)
    job = {"id": "j1", "kind": "profile", "target": "t", "attempts": 1, "max_attempts": 3, "created_unix_s": 0.0}
    states = [[{**job, "state": state}] for state in ("queued", "leased", "done")]
    client = FakeClient(jobs=states, job=[{"state": "leased"}])
    monkeypatch.setattr(module, "open_client", lambda *_: client)
    lines = run("jobs", "--watch").stdout.splitlines()
    assert lines[-2:] == ["j1  profile  leased", "j1  profile  done"]


def test_it_is_said_why_jobs_wait(monkeypatch: pytest.MonkeyPatch) -> None:
    why = "No agent of pi since 2026-05-01 14:02: start it there."
    job = {"id": "j1", "kind": "profile", "state": "queued", "target": "t", "graph": None, "attempts": 0,
           "max_attempts": 3, "created_unix_s": 0.0, "updated_unix_s": 0.0, "children": {}, "reasons": [],
           "result": None, "waiting": why}  # fmt: skip
    client = FakeClient(jobs=[[job, {**job, "id": "j2"}, {**job, "id": "j3", "waiting": None}]], job=[job])
    monkeypatch.setattr(module, "open_client", lambda *_: client)
    assert run("jobs").stdout.splitlines()[-1] == f"j1, j2: {why}"
    assert f"waits because {why}" in " ".join(run("jobs", "j1").stdout.split())
