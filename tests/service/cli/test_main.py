"""The command line as a person meets it: help, sentences instead of tracebacks, exit codes."""

import os
import subprocess
import sys
from pathlib import Path

import pytest
from typer.main import get_command

from service.cli.main import app

ROOT = Path(__file__).parents[3]
COMMANDS = sorted(get_command(app).commands)  # type: ignore[attr-defined]
NOBODY_THERE = "http://127.0.0.1:9"


def latcast(*arguments: str, **environment: str) -> subprocess.CompletedProcess[str]:
    """What the command prints, in a process of its own."""
    return subprocess.run(
        [sys.executable, "-m", "service.cli.main", *arguments],
        capture_output=True,
        text=True,
        cwd=ROOT,
        env={**os.environ, "COLUMNS": "120", **environment},
    )


@pytest.mark.parametrize("command", COMMANDS)
def test_every_command_has_help_with_examples(command: str) -> None:
    found = get_command(app).commands[command]  # type: ignore[attr-defined]
    leaves = getattr(found, "commands", {command: found})
    for leaf in leaves.values():
        assert leaf.help
        undocumented = [
            p.name for p in leaf.params if p.param_type_name == "option" and not p.help and p.name != "help"
        ]
        assert not undocumented
    if leaves == {command: found}:
        assert "latcast " + command in found.help


def test_help_and_version_need_no_heavy_import() -> None:
    code = (
        "import sys\nfrom service.cli.main import app\n"
        "heavy = {'torch', 'onnx', 'onnxruntime', 'fastapi', 'sqlalchemy', 'lightgbm', 'scipy'} & set(sys.modules)\n"
        "sys.exit(f'imported {heavy}' if heavy else 0)"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, cwd=ROOT)
    assert done.returncode == 0, done.stderr
    assert latcast("--version").stdout.startswith("latcast ")


@pytest.mark.slow
@pytest.mark.parametrize(
    ("arguments", "words"),
    [
        (["predict", "--server", NOBODY_THERE, "--space", "nasbench201", "x"], ["cannot be reached", "latcast serve"]),
        (["predict", "--server", NOBODY_THERE, "missing.onnx"], ["missing.onnx", "search space"]),
        (["targets", "--server", NOBODY_THERE], ["cannot be reached"]),
        (["adapt", "--no-wait", "--server", NOBODY_THERE], ["cannot be reached"]),
        (["agent", "--server", NOBODY_THERE, "--threads", "100000"], ["100,000 threads", "CPU set and quota"]),
        (["agent", "--server", NOBODY_THERE, "--backend", "abacus"], ["abacus", "onnxruntime"]),
        (["serve", "--host", "0.0.0.0", "--port", "0"], ["latcast keys create", "127.0.0.1"]),
    ],
)
def test_failures_are_sentences(arguments: list[str], words: list[str], tmp_path: Path) -> None:
    done = latcast(*arguments, LATCAST_DATA_DIR=str(tmp_path))
    assert done.returncode == 1
    assert done.stdout == ""
    assert "Traceback" not in done.stderr
    for word in ["latcast: ", *words]:
        assert word in done.stderr


@pytest.mark.parametrize(
    "arguments", [[], ["nonsense"], ["predict"], ["adapt", "--samples", "0"], ["predict", "m.onnx", "--shape", "x:1"]]
)
def test_wrong_usage_exits_with_2(arguments: list[str]) -> None:
    assert latcast(*arguments).returncode == 2
