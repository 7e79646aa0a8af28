"""The command line as a person meets it: help, sentences instead of tracebacks, exit codes."""

import os
import subprocess
import sys
from pathlib import Path

import pytest
from typer.main import get_command

from latcast.schema import InputError, UnknownNameError
from service.cli.common import find_target
from service.cli.main import app, missing_extra

ROOT = Path(__file__).parents[3]
COMMANDS = sorted(get_command(app).commands)  # type: ignore[attr-defined]
NOBODY_THERE = "http://127.0.0.1:9"
TARGETS = [
    {"id": "aabb", "device_name": "pi", "label": "onnxruntime 1 thread"},
    {"id": "aacc", "device_name": "pi", "label": "onnxruntime 4 threads"},
    {"id": "ffff", "device_name": "server", "label": "onnxruntime 1 thread"},
]


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


@pytest.mark.parametrize(
    ("arguments", "words"),
    [
        (["predict", "--server", NOBODY_THERE, "--space", "nasbench201", "x"], ["cannot be reached", "latcast serve"]),
        (["predict", "--server", NOBODY_THERE, "missing.onnx"], ["missing.onnx", "--space"]),
        (["targets", "--server", NOBODY_THERE], ["cannot be reached"]),
        (["adapt", "--server", NOBODY_THERE], ["cannot be reached"]),
        (["agent", "--server", NOBODY_THERE, "--threads", "100000"], ["logical cores"]),
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


def test_keys_are_made_listed_and_revoked(tmp_path: Path) -> None:
    here = {"LATCAST_DATA_DIR": str(tmp_path)}
    secret = latcast("keys", "create", "--scope", "admin", "--name", "ops", **here).stdout.strip()
    assert len(secret) > 40
    listed = latcast("keys", "list", **here).stdout
    assert "ops" in listed
    assert secret not in listed
    key_id = next(word for word in listed.split() if len(word) == 24 and word.isalnum())
    assert latcast("keys", "revoke", key_id, **here).returncode == 0
    assert latcast("keys", "revoke", "nobody", **here).returncode == 1
    assert latcast("keys", "enrol", **here).stdout.strip() != secret


@pytest.mark.parametrize(("wanted", "found"), [("aabb", "aabb"), ("f", "ffff"), ("server", "ffff"), ("aab", "aabb")])
def test_a_target_is_named_by_id_beginning_or_device(wanted: str, found: str) -> None:
    assert find_target(TARGETS, wanted)["id"] == found


def test_a_target_that_is_not_clear_is_asked_for() -> None:
    assert find_target(TARGETS[:1], None)["id"] == "aabb"
    with pytest.raises(InputError, match=r"aabb.*aacc"):
        find_target(TARGETS, "pi")
    with pytest.raises(InputError, match="--target"):
        find_target(TARGETS, None)
    with pytest.raises(UnknownNameError, match="zzz"):
        find_target(TARGETS, "zzz")
    with pytest.raises(InputError, match="latcast agent"):
        find_target([], None)


def test_missing_module_names_the_extra() -> None:
    assert "latcast[service]" in missing_extra(ModuleNotFoundError("No module", name="sqlalchemy.orm"))
    assert "latcast[agent]" in missing_extra(ModuleNotFoundError("No module", name="onnxruntime"))
    with pytest.raises(ModuleNotFoundError):
        missing_extra(ModuleNotFoundError("No module", name="something_else"))
