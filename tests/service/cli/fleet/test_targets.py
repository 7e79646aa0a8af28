"""`latcast targets --here`: what this machine can be, and why not the rest."""

import json
from types import SimpleNamespace

import pytest
from typer.testing import CliRunner

from profilers.targets import Kind
from service.cli.main import app

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
    assert "level=high|low" in possible
    assert "text=…" in possible
    assert "gone" not in possible
    assert impossible.count("pip install gone.") == 1
    assert "The processor cannot." in impossible


def test_the_list_can_be_had_as_json() -> None:
    done = CliRunner().invoke(app, ["targets", "--here", "--json", "-"])
    found = json.loads(done.output)
    assert [entry["reason"] == "" for entry in found] == [True, False, False, False]
    assert found[0]["options"] == {"level": ["high", "low"], "text": []}
