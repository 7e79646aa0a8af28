"""`latcast train`: what is asked of the service, progress, and what is said in the end."""

import json
from typing import Any

import pytest
from typer.testing import CliRunner

from latcast.schema import InputError
from service.cli.main import app
from service.cli.train.train import figures, moment
from tests.service.cli.doubles import LISTED, TARGET, FakeClient

RESULT = {
    "predictor_id": "p1", "kind": "help", "rows": 1000, "networks": 100, "active": False,
    "cross_validation": {"median_ape": 0.05, "spearman": 0.98},
    "held_out_targets": {"median_ape": 0.1, "spearman": None},
}  # fmt: skip


def run(monkeypatch: pytest.MonkeyPatch, client: FakeClient, *arguments: str) -> Any:
    monkeypatch.setattr("service.cli.train.train.open_client", lambda *_: client)
    return CliRunner().invoke(app, ["train", *arguments])


def test_what_is_asked_and_answered(monkeypatch: pytest.MonkeyPatch) -> None:
    open_job = {"id": "j1", "state": "leased", "progress": {"share": 0.5, "what": "fold 1 of 4"}, "result": None}
    done = {**open_job, "state": "done", "result": RESULT}
    client = FakeClient(train=[{"id": "j1"}], job=[open_job, done], targets=[[LISTED]])
    hyper = [part for text in ("episodes=50", "schedule=cosine", "flat=true") for part in ("--hyper", text)]
    shown = run(
        monkeypatch, client, "--kind", "help", "--targets", TARGET.id[:6], "--spaces", "fbnet", "--workers", "3", *hyper
    )
    assert shown.exit_code == 0, shown.output
    _, (kind,), options = client.asked[-3]
    assert kind == "help"
    assert options["targets"] == [TARGET.id]
    assert options["spaces"] == ["fbnet"]
    assert options["workers"] == 3
    assert options["hyperparameters"] == {"episodes": 50, "schedule": "cosine", "flat": True}
    assert "Trained help (p1) on 1,000 measurements of 100 networks." in shown.stdout
    assert shown.stdout.splitlines()[-2:] == [
        "Its card: latcast predictors show p1",
        "Let it answer everywhere: latcast predictors activate p1",
    ]


def test_why_a_training_waits_is_said_once(monkeypatch: pytest.MonkeyPatch) -> None:
    queued = {"id": "j1", "state": "queued", "progress": None, "result": None, "waiting": None}
    alone = {**queued, "waiting": "No worker has begun since 14:02 UTC: start one."}
    client = FakeClient(train=[{"id": "j1"}], job=[queued, alone, alone, {**queued, "state": "done", "result": RESULT}])
    shown = run(monkeypatch, client, "--kind", "help")
    assert shown.exit_code == 0, shown.output
    assert shown.stderr.count("Waiting. No worker has begun since 14:02 UTC: start one.") == 1


def test_a_failed_training_is_a_sentence(monkeypatch: pytest.MonkeyPatch) -> None:
    failed = {"id": "j1", "state": "failed", "result": {"error": "torch is missing."}, "reasons": [], "progress": None}
    shown = run(monkeypatch, FakeClient(train=[{"id": "j1"}], job=[failed]), "--kind", "help")
    assert shown.exit_code != 0
    assert "torch is missing." in str(shown.exception)


def test_without_waiting_the_job_is_named(monkeypatch: pytest.MonkeyPatch) -> None:
    client = FakeClient(train=[{"id": "j1"}])
    assert run(monkeypatch, client, "--kind", "flops", "--no-wait").stdout.strip() == "j1"
    assert json.loads(run(monkeypatch, client, "--kind", "flops", "--no-wait", "--json", "-").stdout) == {"id": "j1"}


def test_moments() -> None:
    assert moment("12h", now=100_000.0) == 100_000.0 - 12 * 3600
    assert moment("2d", now=1e9) == 1e9 - 2 * 86_400
    assert moment("1970-01-02") == 86_400.0
    assert moment("1970-01-01T01:00+01:00") == 0.0
    with pytest.raises(InputError, match="yesterday"):
        moment("yesterday")


def test_figures_are_sentences() -> None:
    assert "Held-out networks: median error 5.0%, Spearman 0.980. Held-out targets: median error 10.0%." in figures(
        RESULT
    )


def test_one_that_answers_already_need_not_be_activated(monkeypatch: pytest.MonkeyPatch) -> None:
    done = {"id": "j1", "state": "done", "progress": None, "result": {**RESULT, "active": True}}
    shown = run(monkeypatch, FakeClient(train=[{"id": "j1"}], job=[done]), "--kind", "help", "--activate")
    assert "predictors show p1" in shown.stdout
    assert "predictors activate" not in shown.stdout
