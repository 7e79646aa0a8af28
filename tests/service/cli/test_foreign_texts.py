"""Texts of others on the command line: no markup and no control character in them acts, whatever the command."""

import ast
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from typer.testing import CliRunner

from service.cli import progress
from service.cli.fleet import targets
from service.cli.forecast import adapt, predict
from service.cli.main import app
from tests.service.cli.doubles import LISTED, FakeClient

ROOT = Path(__file__).parents[3]
NAME = "lab [/red] 7\x1b]0;owned\x07\x9b2J\u202e\nlatcast: all is well"
SHOWN = "lab [/red] 7\\x1b]0;owned\\x07\\x9b2J\\u202e\\nlatcast: all is well"
TARGET = {**LISTED, "device_name": NAME}
PRINTERS = ("service/cli/tables.py", "service/cli/progress.py", "service/cli/guard.py")
"""The only modules that write to a terminal."""
FORBIDDEN = {"print", "secho", "Progress", "TextColumn", "Table", "Console", "print_json", "rule"}
"""Calls that write, or make what writes, without looking at the text."""


def job(state: str, **more: Any) -> dict[str, Any]:
    return {"id": "1", "state": state, "children": {}, "result": None, "reasons": [], **more}


@pytest.fixture
def client(monkeypatch: pytest.MonkeyPatch) -> FakeClient:
    failed = job("failed", reasons=[{"message": f"No: {NAME}"}])
    fake = FakeClient(
        targets=[[TARGET]],
        predict=[[{"error": {"detail": f"No such thing: {NAME}"}}]],
        adapt=[job("queued")],
        job=[job("waiting", children={"queued": 1}), failed],
    )
    monkeypatch.setattr(progress, "POLL_SECONDS", 0.0)
    for module in (targets, predict, adapt):
        monkeypatch.setattr(module, "open_client", lambda *_: fake)
    return fake


@pytest.mark.parametrize(
    "arguments",
    [["targets"], ["targets", "--json", "-"], ["predict", "--space", "nasbench201", NAME], ["adapt"]],
    ids=lambda arguments: " ".join(arguments[:3]),
)
@pytest.mark.parametrize("terminal", [False, True], ids=["pipe", "terminal"])
def test_names_of_others_do_nothing(
    client: FakeClient, arguments: list[str], terminal: bool, monkeypatch: pytest.MonkeyPatch
) -> None:
    if terminal:
        monkeypatch.setenv("FORCE_COLOR", "1")
    done = CliRunner().invoke(app, arguments)
    texts = [done.output, str(done.exception or "")]
    assert not [text for text in texts if "\x1b]" in text or "\x9b" in text or "\u202e" in text]
    assert "latcast: all is well" in "".join(texts).replace("\n", " ")
    assert done.exception is None or type(done.exception).__name__ in ("LatcastError", "SystemExit")


def test_a_name_is_shown_as_it_is_written(client: FakeClient) -> None:
    assert SHOWN in CliRunner().invoke(app, ["targets"]).stdout


def test_the_description_of_a_bar_is_plain() -> None:
    column = progress.bar(progress.Console()).columns[0]
    task = progress.Task(0, NAME, None, 0, _get_time=lambda: 0.0)  # type: ignore[arg-type]
    assert column(task).plain == SHOWN  # type: ignore[union-attr]


def writing_calls(module: Path) -> Iterator[str]:
    for node in ast.walk(ast.parse(module.read_text())):
        if isinstance(node, ast.Call):
            name = node.func.attr if isinstance(node.func, ast.Attribute) else getattr(node.func, "id", "")
            if name in FORBIDDEN or ast.unparse(node.func) == "typer.echo":
                yield f"{module.relative_to(ROOT)}:{node.lineno} {ast.unparse(node.func)}"


def test_commands_write_by_way_of_the_tables_alone() -> None:
    folders = [ROOT / "service" / folder for folder in ("cli", "agent")]
    modules = [
        path for folder in folders for path in folder.rglob("*.py") if str(path.relative_to(ROOT)) not in PRINTERS
    ]
    assert [call for module in modules for call in writing_calls(module)] == []
