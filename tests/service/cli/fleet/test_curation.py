"""`latcast fleet`: devices and targets are hidden, brought back, renamed and merged from the command line."""

from typing import Any

import pytest
from typer.testing import CliRunner

from latcast.errors import NotFoundError
from latcast.schema import InputError
from service.cli.main import app
from tests.service.helpers import OTHER_TARGET, TARGET, World


@pytest.fixture
def served(world: World, monkeypatch: pytest.MonkeyPatch) -> World:
    for module in ("curation", "devices", "targets"):
        monkeypatch.setattr(f"service.cli.fleet.{module}.open_client", lambda *_: world.client_with(None))
    world.agent([TARGET, OTHER_TARGET])
    return world


def run(*arguments: str) -> Any:
    return CliRunner().invoke(app, list(arguments), catch_exceptions=False)


def test_a_device_is_named_hidden_and_brought_back(served: World) -> None:
    assert "is called desk 4." in run("fleet", "rename", "bench", "desk 4").stdout
    assert "desk 4" in run("devices").stdout
    assert run("fleet", "hide", "device", "desk 4").stdout == "The device desk 4 is hidden.\n"
    assert "No devices yet" in run("devices").stdout
    assert "desk 4" in run("devices", "--hidden").stdout
    (device,) = served.client.devices(hidden=True)
    assert "is back. Its agent needs a new key" in run("fleet", "show", "device", device["id"]).stdout
    assert len(served.client.targets()) == 2


def test_targets_become_one(served: World) -> None:
    assert f"is part of {TARGET.id} now." in run("fleet", "merge", "target", OTHER_TARGET.id, TARGET.id).stdout
    assert [one["id"] for one in served.client.targets()] == [TARGET.id]
    with pytest.raises(NotFoundError, match="no hidden target"):
        run("fleet", "show", "target", TARGET.id)


def test_targets_are_named_by_words_that_fit_one_alone(served: World) -> None:
    words = f"bench {OTHER_TARGET.label}"
    hidden = run("fleet", "hide", "target", words).stdout
    assert hidden == f"The target {OTHER_TARGET.id} (bench, {OTHER_TARGET.label}) is hidden.\n"
    assert OTHER_TARGET.id not in run("targets").stdout
    listed = run("targets", "--hidden").stdout
    assert OTHER_TARGET.id in listed
    assert TARGET.id not in listed
    assert f"(bench, {OTHER_TARGET.label}) is back." in run("fleet", "show", "target", words).stdout
    assert "latcast targets" in run("targets", "--hidden").stdout
    with pytest.raises(InputError, match="Several targets fit 'bench'"):
        run("fleet", "hide", "target", "bench")
    assert len(served.client.targets()) == 2


def test_a_graph_goes_with_what_was_measured_of_it(served: World) -> None:
    served.measure(served.agent())
    (row,) = served.client.measurements(TARGET.id)
    said = run("fleet", "hide", "graph", row["graph"]).stdout
    assert said.split() == f"The graph {row['graph']} (1 measurement) is hidden.".split()


def test_where_nothing_is_hidden_it_is_said(served: World) -> None:
    assert run("devices", "--hidden").stdout == "No device is hidden.\n"
    assert served.client.devices()
