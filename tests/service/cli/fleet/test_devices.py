"""`latcast devices`: the registered machines and when they were seen."""

import json
from typing import Any

import pytest
from typer.testing import CliRunner

from service.cli.main import app
from tests.service.helpers import DEVICE, World


@pytest.fixture
def served(world: World, monkeypatch: pytest.MonkeyPatch) -> World:
    monkeypatch.setattr("service.cli.fleet.devices.open_client", lambda *_: world.client_with(None))
    return world


def run(*arguments: str) -> Any:
    return CliRunner().invoke(app, ["devices", *arguments])


def test_machines_are_listed_with_when_they_were_seen(served: World) -> None:
    assert "No devices yet: run `latcast agent`" in run().stdout
    served.agent().lease(wait_s=0)
    words = " ".join(run().stdout.split())
    assert DEVICE.name in words
    assert DEVICE.processor in words
    assert "online" in words
    (listed,) = json.loads(run("--json", "-").stdout)
    assert listed["device"]["name"] == DEVICE.name
