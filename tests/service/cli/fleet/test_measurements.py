"""`latcast measurements`: rows are listed, hidden and shown from the command line."""

import json
from typing import Any

import pytest
from typer.testing import CliRunner

from service.cli.main import app
from tests.service.helpers import TARGET, World


@pytest.fixture
def served(world: World, monkeypatch: pytest.MonkeyPatch) -> World:
    monkeypatch.setattr("service.cli.fleet.measurements.open_client", lambda *_: world.client_with(None))
    return world


def run(*arguments: str) -> Any:
    return CliRunner().invoke(app, ["measurements", *arguments], catch_exceptions=False)


@pytest.mark.slow
def test_rows_are_hidden_by_their_ids_and_listed_as_hidden(served: World) -> None:
    row = served.measure(served.agent())
    assert str(row) in run("list").stdout
    assert run("hide", str(row)).stdout == "Hid 1 measurement of 1 target.\n"
    assert "There are none." in run("list").stdout
    assert [one["id"] for one in json.loads(run("list", "--hidden", "--json", "-").stdout)] == [row]
    assert "Showed 1 measurement of" in run("show", "--target", TARGET.id).stdout
    assert str(row) in run("list").stdout


def test_short_times_have_a_unit_that_shows_them(served: World) -> None:
    served.measure(served.agent(), 2, ms=0.02)
    assert "21 µs" in run("list").stdout


def test_an_agent_is_put_into_quarantine_and_out_of_it(served: World) -> None:
    served.measure(served.agent())
    assert "In quarantine: " in run("hide", "--agent", "bench").stdout
    said = run("show", "--agent", "bench").stdout
    assert "No longer in quarantine: " in said
    assert "Showed 1 measurement of" in said


def test_times_are_of_this_machine(served: World) -> None:
    served.measure(served.agent())
    done = json.loads(run("hide", "--agent", "bench", "--until", "2001-01-01T00:00:00", "--json", "-").stdout)
    assert (done["rows"], done["agents"]) == (0, [])


def test_a_target_is_named_by_words(served: World) -> None:
    served.measure(served.agent())
    assert run("hide", "--target", f"bench {TARGET.label}").stdout == "Hid 1 measurement of 1 target.\n"
