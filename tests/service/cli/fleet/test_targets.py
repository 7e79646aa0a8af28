"""`latcast targets --here`: what this machine can be, and why not the rest."""

import json
from types import SimpleNamespace
from typing import Any

import pytest
from typer.testing import CliRunner

from profilers.targets import Kind
from service.cli.main import app
from tests.service.cli.doubles import FakeClient

POSSIBLE = Kind(
    backend="quick", version="3.1", precision="fp32", most_threads=4, options={"level": ("high", "low"), "text": ()}
)
KINDS = (
    POSSIBLE,
    Kind(backend="quick", version="3.1", precision="bf16", most_threads=0, options={}, reason="The processor cannot."),
    *(
        Kind(backend="gone", version="", precision=precision, most_threads=0, options={}, reason="pip install gone.")
        for precision in ("fp32", "int8")
    ),
)


@pytest.fixture(autouse=True)
def _a_machine(monkeypatch: pytest.MonkeyPatch) -> None:
    device = SimpleNamespace(name="pi", processor="Cortex", logical_cores=4)
    monkeypatch.setattr("profilers.targets.survey", lambda: KINDS)
    monkeypatch.setattr("profilers.host.device.describe_device", lambda: device)
    monkeypatch.setenv("COLUMNS", "100")


def test_what_this_machine_can_be_is_listed_with_the_reasons_for_the_rest() -> None:
    done = CliRunner().invoke(app, ["targets", "--here"])
    assert done.exit_code == 0, done.output
    lines = done.output.splitlines()
    assert lines[0] == "pi: Cortex, 4 logical cores"
    possible, impossible = done.output.split("not here")
    assert "quick 3.1" in possible
    assert "1-4" in possible
    assert "level: high, low" in possible
    assert "text: any text" in possible
    assert "gone" not in possible
    assert impossible.count("pip install gone.") == 1
    assert "The processor cannot." in impossible


def test_the_list_can_be_had_as_json() -> None:
    done = CliRunner().invoke(app, ["targets", "--here", "--json", "-"])
    found = json.loads(done.output)
    assert [entry["reason"] == "" for entry in found] == [True, False, False, False]
    assert found[0]["options"] == {"level": ["high", "low"], "text": []}


SERVED: list[dict[str, Any]] = [
    {"id": "t1", "device_name": "pi", "label": "onnxruntime fp32 1 thread", "measurements": 3, "adaptation": None,
     "origin": "", "offered": True, "online": True, "seen_unix_s": 1.0, "options": {}, "created_unix_s": 1.0},
    {"id": "t2", "device_name": "pi", "label": "onnxruntime fp32 4 threads", "measurements": 7, "adaptation": None,
     "origin": "", "offered": False, "online": False, "seen_unix_s": 0.0, "options": {}, "created_unix_s": 2.0},
    {"id": "t3", "device_name": "eagle", "label": "imported", "measurements": 5, "adaptation": None,
     "origin": "a table", "offered": False, "options": {"space": "nasbench201"}, "created_unix_s": 3.0},
]  # fmt: skip


@pytest.mark.parametrize(
    ("arguments", "ids"),
    [
        ([], ["t1", "t2", "t3"]),
        (["--device", "PI 4"], ["t2"]),
        (["--offered"], ["t1"]),
        (["--space", "nasbench201"], ["t3"]),
        (["--sort", "measurements"], ["t2", "t3", "t1"]),
        (["--sort", "newest", "--device", "pi"], ["t2", "t1"]),
        (["--sort", "device"], ["t3", "t1", "t2"]),
        (["--sort", "label"], ["t3", "t1", "t2"]),
    ],
)
def test_targets_are_chosen_and_sorted(monkeypatch: pytest.MonkeyPatch, arguments: list[str], ids: list[str]) -> None:
    monkeypatch.setattr("service.cli.fleet.targets.open_client", lambda *_: FakeClient(targets=[SERVED]))
    done = CliRunner().invoke(app, ["targets", *arguments])
    assert [line.split()[0] for line in done.stdout.splitlines()[1:]] == ids
    chosen = CliRunner().invoke(app, ["targets", *arguments, "--json", "-"])
    assert [target["id"] for target in json.loads(chosen.stdout)] == ids


def test_it_is_said_where_an_agent_is(monkeypatch: pytest.MonkeyPatch) -> None:
    silent = {**SERVED[0], "id": "t4", "online": False, "seen_unix_s": None}
    monkeypatch.setattr("service.cli.fleet.targets.open_client", lambda *_: FakeClient(targets=[[*SERVED, silent]]))
    monkeypatch.setenv("COLUMNS", "160")
    lines = CliRunner().invoke(app, ["targets"]).stdout.splitlines()
    assert lines[0].endswith("last seen")
    online, gone, imported, unseen = lines[1:]
    assert online.endswith("  online")
    assert gone.endswith(" d ago, not offered")
    assert imported.endswith("  a table")
    assert unseen.endswith("  never")


def test_where_none_fits_it_is_said(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("service.cli.fleet.targets.open_client", lambda *_: FakeClient(targets=[SERVED]))
    assert "No target fits" in CliRunner().invoke(app, ["targets", "--device", "phone"]).stdout
