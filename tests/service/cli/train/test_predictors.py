"""`latcast predictors`: listed, shown, activated, deactivated and removed by a part of an id, or by kind."""

import json
from pathlib import Path
from typing import Any

import pytest
from typer.testing import CliRunner

from service.cli.main import app
from tests.service.cli.doubles import FakeClient

JUDGED = {"rows": 500, "cross_validation": {"median_ape": 0.0512}, "held_out_targets": {"median_ape": None}}
LISTED = [
    {"id": "18aa01", "kind": "help", "active": True, "metrics": JUDGED, "dataset_id": "d1", "created_unix_s": 0.0},
    {"id": "18aa02", "kind": "flops", "active": False, "metrics": {}, "dataset_id": "d2", "created_unix_s": 0.0},
]


@pytest.fixture
def client(monkeypatch: pytest.MonkeyPatch) -> FakeClient:
    client = FakeClient(
        predictors=[LISTED], predictor_card=["# help\n\n| a |\x1b[31m\n"], predictor_calibration=["<svg/>"],
        activate_predictor=[LISTED[1]], deactivate_predictor=[LISTED[0]], remove_predictor=[LISTED[1]],
    )  # fmt: skip
    monkeypatch.setattr("service.cli.train.predictors.open_client", lambda *_: client)
    return client


def run(*arguments: str) -> Any:
    return CliRunner().invoke(app, ["predictors", *arguments])


def test_errors_of_what_was_held_out_are_listed(client: FakeClient) -> None:
    lines = run("list").stdout.splitlines()
    help_row, flops_row = (next(line for line in lines if kind in line) for kind in ("help", "flops"))
    assert "500" in help_row
    assert "5.1%" in help_row
    assert "if asked for" in flops_row


def test_a_row_of_the_package_is_told_from_what_was_trained_here(client: FakeClient) -> None:
    copy = {"id": "18aa03", "kind": "universal", "active": False, "metrics": {}, "created_unix_s": 0.0}
    client._answers["predictors"] = [[*LISTED, {**copy, "dataset_id": None}]]
    lines = run("list").stdout.splitlines()
    assert "as shipped" in next(line for line in lines if "18aa03" in line)
    assert not any("as shipped" in line for line in lines if "18aa03" not in line)


def test_who_mistypes_a_kind_is_told_the_kind(client: FakeClient) -> None:
    assert "Did you mean 'help'?" in str(run("show", "hlp").exception)


def test_none_yet(client: FakeClient) -> None:
    client._answers["predictors"] = [[]]
    assert "latcast train" in run("list").stdout


def test_a_card_is_shown_and_its_chart_written(
    client: FakeClient, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.delenv("COLUMNS", raising=False)
    shown = run("show", "help", "--svg", str(tmp_path / "plot.svg"))
    assert "# help" in shown.stdout
    assert "\x1b" not in shown.stdout
    assert (tmp_path / "plot.svg").read_text() == "<svg/>"
    assert ("predictor_card", ("18aa01",), {}) in client.asked


def test_a_card_is_laid_out_for_a_reader_of_some_width(client: FakeClient, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("COLUMNS", "80")
    client._answers["predictor_card"] = ["# help\n\n| host | rows |\n| --- | --- |\n| pi | 1,234 |\n"]
    assert run("show", "help").stdout.splitlines() == ["help", "", "host   rows", "pi    1,234"]


def test_changes_are_of_the_one_that_is_meant(client: FakeClient) -> None:
    assert "flops (18aa02) answers from now on" in run("activate", "18aa02").stdout
    assert "only where it is asked for" in run("deactivate", "help").stdout
    assert "flops (18aa02) is removed" in run("remove", "aa02").stdout
    asked = [(method, arguments) for method, arguments, _ in client.asked if method != "predictors"]
    assert asked == [
        ("activate_predictor", ("18aa02",)), ("deactivate_predictor", ("18aa01",)), ("remove_predictor", ("18aa02",)),
    ]  # fmt: skip
    assert "Several predictors fit" in str(run("remove", "18aa").exception)
    assert "zzz" in str(run("show", "zzz").exception)


def test_what_cannot_be_removed_keeps_no_other_from_being(client: FakeClient) -> None:
    done = run("remove", "zzz", "aa02")
    assert done.exit_code == 1
    assert "flops (18aa02) is removed" in done.stdout
    assert "latcast: zzz: Unknown predictor 'zzz'" in done.stderr


def test_changes_are_told_as_json(client: FakeClient) -> None:
    assert json.loads(run("activate", "18aa02", "--json", "-").stdout) == LISTED[1]
    assert json.loads(run("deactivate", "help", "--json", "-").stdout) == LISTED[0]
    assert json.loads(run("remove", "aa02", "--json", "-").stdout) == [LISTED[1]]


def test_a_shipped_predictor_has_its_card_in_the_package(client: FakeClient) -> None:
    error = run("show", "pretrained:universal-graphs").exception
    assert "predictors/pretrained has its card" in str(error)
