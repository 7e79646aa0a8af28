"""`latcast audit` lists who did what."""

import json
from contextlib import nullcontext

import pytest
from typer.testing import CliRunner

from service.cli.fleet import audit as module
from service.cli.main import app
from tests.service.helpers import World


def run(*arguments: str) -> str:
    result = CliRunner().invoke(app, ["audit", *arguments], catch_exceptions=False)
    assert result.exit_code == 0, result.output
    return result.stdout


def test_what_was_done_is_listed(new_sqlite: str, world: World, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(module, "open_client", lambda _server, _key: nullcontext(world.client))
    assert "Nothing" in run()
    admin = world.client.create_key("admin", name="ops")
    world.client.key = admin["key"]
    world.client.create_key("measure", owner="ada")
    text = run("--action", "keys.")
    assert [word for word in text.split() if word.startswith("keys.")] == ["keys.create", "keys.create"]
    assert "owner ada" in " ".join(text.split())
    (one,) = json.loads(run("--by", admin["id"], "--json", "-"))
    assert one["key"] == admin["id"]
