"""`latcast adapt`: what is asked of the service, and what is said in the end."""

import json
from dataclasses import replace
from typing import Any

import pytest
from typer.testing import CliRunner

from latcast.client import Client
from service.cli.main import app
from service.db import records
from tests.service.helpers import OTHER_TARGET, TARGET, World


@pytest.fixture
def served(world: World, monkeypatch: pytest.MonkeyPatch) -> World:
    """A service that the command finds."""
    monkeypatch.setattr("service.cli.forecast.adapt.open_client", lambda _server, _key: world.client_with(None))
    return world


def run(*arguments: str) -> Any:
    return CliRunner().invoke(app, ["adapt", *arguments])


def test_the_request_is_what_the_options_say_and_the_job_is_told(served: World) -> None:
    served.agent()
    done = run("--samples", "3", "--sampler", "random", "--space", "zoo", "--seed", "5", "--no-wait")
    assert done.exit_code == 0, done.output
    job = served.client.job(done.output.strip())
    assert (job["kind"], job["target"]) == ("adapt", TARGET.id)
    assert job["request"] == {
        "samples": 3, "sampler": "random", "pool": {"space": ["zoo"], "graphs": []}, "settings": {}, "seed": 5,
        "predictor": None,
    }  # fmt: skip


@pytest.mark.parametrize(
    ("error", "said"),
    [(0.05, "median error 5.0% on each when it is left out"), (None, "too few of them to tell its error")],
)
def test_the_end_says_how_well_it_forecasts(
    served: World, monkeypatch: pytest.MonkeyPatch, error: float | None, said: str
) -> None:
    with served.database.write.begin() as session:
        session.add(records.target_row(TARGET, None))
    result = {"support": 3, "adapt_ms": 12.4, "support_loo_median_ape": error}
    monkeypatch.setattr(Client, "adapt", lambda *_args, **_options: {"id": "j"})
    monkeypatch.setattr(Client, "job", lambda *_: {"state": "done", "children": {}, "result": result})
    done = run()
    assert done.exit_code == 0, done.output
    assert f"from 3 networks in 12 ms; {said}." in " ".join(done.output.split())
    assert json.loads(run("--json", "-").stdout)["result"] == result


def test_a_target_that_nobody_measures_on_is_refused_with_a_sentence(served: World) -> None:
    with served.database.write.begin() as session:
        session.add(records.target_row(TARGET, None))
    done = run()
    assert done.exit_code != 0
    assert "Nobody measures on target" in str(done.exception or done.output)


def test_an_adaptation_that_fails_says_why(served: World, monkeypatch: pytest.MonkeyPatch) -> None:
    with served.database.write.begin() as session:
        session.add(records.target_row(TARGET, None))
    failed = {"state": "failed", "children": {}, "result": {"error": "Only 1 of 4 was measured."}, "reasons": []}
    monkeypatch.setattr(Client, "adapt", lambda *_args, **_options: {"id": "j"})
    monkeypatch.setattr(Client, "job", lambda *_: failed)
    assert "The job j failed: Only 1 of 4 was measured." in str(run().exception)


def test_how_many_are_measured_has_limits() -> None:
    assert run("--samples", "0").exit_code == 2


def test_several_targets_are_asked_for_at_once(served: World) -> None:
    served.agent((TARGET, OTHER_TARGET))
    done = run("--target", TARGET.id, "--target", OTHER_TARGET.id[:8], "--samples", "3", "--no-wait")
    assert done.exit_code == 0, done.output
    jobs = [served.client.job(job_id) for job_id in done.stdout.split()]
    assert [job["target"] for job in jobs] == [TARGET.id, OTHER_TARGET.id]
    assert all(job["request"]["samples"] == 3 for job in jobs)


def test_of_several_each_is_told_of_and_one_that_fails_does_not_stop_the_others(
    served: World, monkeypatch: pytest.MonkeyPatch
) -> None:
    served.agent((TARGET, OTHER_TARGET))
    away = replace(TARGET, backend_version="9")
    with served.database.write.begin() as session:
        session.add(records.target_row(away, None))
    result = {"support": 3, "adapt_ms": 12.4, "support_loo_median_ape": 0.05}
    asked: dict[str, str] = {}
    adapt = Client.adapt

    def remember(client: Client, target: str, **options: Any) -> Any:
        job = adapt(client, target, **options)
        asked[job["id"]] = target
        return job

    def job(_client: Client, job_id: str) -> Any:
        if asked[job_id] == TARGET.id:
            return {"id": job_id, "state": "done", "children": {}, "result": result}
        return {"id": job_id, "state": "failed", "result": {"error": "Only 1 of 3 was measured."}, "reasons": []}

    monkeypatch.setattr(Client, "adapt", remember)
    monkeypatch.setattr(Client, "job", job)
    targets = [part for each in (TARGET, OTHER_TARGET, away) for part in ("--target", each.id)]
    done = run(*targets, "--samples", "3")
    assert done.exit_code == 1
    assert "from 3 networks in 12 ms; median error 5.0%" in " ".join(done.stdout.split())
    assert done.stdout.count("Adapted") == 1
    assert "Only 1 of 3 was measured." in done.stderr
    assert "Nobody measures on target" in done.stderr
    listed = json.loads(run(*targets, "--samples", "3", "--json", "-").stdout)
    assert [job["state"] for job in listed] == ["done", "failed"]
