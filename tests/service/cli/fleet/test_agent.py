"""`latcast agent`: what it registers, where it keeps its key, and what it shows while it works."""

import signal
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest
from typer.testing import CliRunner

from latcast.schema import InputError, LatcastError, UnknownNameError
from profilers.agent.run import AgentEvent
from service.agent.state_lock import alone_in
from service.cli.fleet.agent import console, tell
from service.cli.main import app
from tests.service.helpers import DEVICE


class Machine:
    """A machine whose agent meets no service: what it would have registered and done."""

    def __init__(self) -> None:
        self.enrolled: dict[str, Any] = {}
        self.described: dict[str, Any] = {}
        self.ran: dict[str, Any] = {}
        self.handlers: dict[int, Callable[..., None]] = {}

    def enrol(self, server: str, device: Any, targets: Any, **more: Any) -> str:
        self.enrolled = {"server": server, "device": device, "targets": targets, **more}
        return "the-key"

    def describe(self, client: Any, _device: Any, _targets: Any, **more: Any) -> None:
        self.described = {"key": client.key, **more}

    def run(self, source: Any, **more: Any) -> None:
        self.handlers[signal.SIGTERM](signal.SIGTERM, None)
        self.ran = {"source": source, **more}


@pytest.fixture
def machine(monkeypatch: pytest.MonkeyPatch) -> Machine:
    machine = Machine()
    signals = SimpleNamespace(SIGINT=signal.SIGINT, SIGTERM=signal.SIGTERM, signal=machine.handlers.__setitem__)
    monkeypatch.setattr("service.cli.fleet.agent.signal", signals)
    monkeypatch.setattr("profilers.host.device.describe_device", lambda: DEVICE)
    monkeypatch.setattr("service.agent.enrolment.enrol", machine.enrol)
    monkeypatch.setattr("service.agent.description.describe_targets", machine.describe)
    monkeypatch.setattr("profilers.agent.run.run_agent", machine.run)
    return machine


def agent(*arguments: str) -> None:
    arguments = ("agent", "--server", "http://service:1", "--backend", "fake", *arguments)
    assert CliRunner().invoke(app, arguments, catch_exceptions=False).exit_code == 0


def test_options_say_what_is_offered_and_by_which_name(machine: Machine, tmp_path: Path) -> None:
    agent("--state", str(tmp_path), "--option", "latency_us=50", "--name", "pi-07", "--token", "t")
    assert (machine.enrolled["device"].name, machine.enrolled["token"]) == ("pi-07", "t")
    (target,) = machine.enrolled["targets"]
    assert (target.backend, target.threads, target.options["latency_us"]) == ("fake", 1, "50")


def test_a_device_id_tells_machines_of_one_image_apart(
    machine: Machine, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(
        "profilers.host.device.describe_device", lambda device_id=None: replace(DEVICE, fingerprint=f"of {device_id}")
    )
    agent("--state", str(tmp_path), "--device-id", "board-1")
    (target,) = machine.enrolled["targets"]
    assert machine.enrolled["device"].fingerprint == target.device == "of board-1"
    monkeypatch.setenv("LATCAST_DEVICE_ID", "board-2")
    agent("--state", str(tmp_path))
    assert machine.enrolled["device"].fingerprint == "of board-2"


def test_it_works_with_its_key_until_it_is_asked_to_end(machine: Machine, tmp_path: Path) -> None:
    agent("--state", str(tmp_path), "--microbench", "never")
    assert machine.described["key"] == "the-key"
    assert machine.described["when"] == "never"
    assert machine.ran["backends"] == ["fake"]
    assert machine.ran["stop"] is machine.described["stop"]
    assert machine.ran["stop"].is_set()
    assert set(machine.handlers) == {signal.SIGINT, signal.SIGTERM}


def test_each_service_has_a_folder_of_its_own_that_nobody_else_reads(machine: Machine, tmp_path: Path) -> None:
    agent("--state", str(tmp_path))
    first = machine.enrolled["folder"]
    agent("--state", str(tmp_path), "--server", "http://other:1")
    assert first.parent == machine.enrolled["folder"].parent == tmp_path
    assert first != machine.enrolled["folder"]
    assert first.stat().st_mode & 0o077 == 0
    assert machine.ran["spool"] == machine.enrolled["folder"] / "spool"


@pytest.mark.parametrize(
    ("arguments", "error", "words"),
    [
        (["--threads", "5"], InputError, "may use 4 CPUs"),
        (["--backend", "abacus"], UnknownNameError, "abacus"),
        (["--option", "no_such=1"], InputError, "no_such"),
    ],
)
def test_what_the_machine_cannot_offer_is_said_before_it_registers(
    machine: Machine, tmp_path: Path, arguments: list[str], error: type[Exception], words: str
) -> None:
    with pytest.raises(error, match=words):
        agent("--state", str(tmp_path), *arguments)
    assert machine.enrolled == {}
    assert list(tmp_path.iterdir()) == []


def test_events_are_lines_without_every_step() -> None:
    job: Any = SimpleNamespace(id="0123456789abcdef")
    with console.capture() as shown:
        tell(AgentEvent(kind="leased", message="[m] graph", job=job))
        tell(AgentEvent(kind="progress", message="run 3", job=job))
        tell(AgentEvent(kind="away", message="The service is away."))
    assert shown.get().splitlines() == ["[job 89abcdef] leased: [m] graph", "away: The service is away."]


def test_a_second_agent_with_the_same_state_is_refused_before_it_registers(machine: Machine, tmp_path: Path) -> None:
    agent("--state", str(tmp_path))
    folder, machine.enrolled = machine.enrolled["folder"], {}
    with alone_in(folder), pytest.raises(LatcastError, match="Another agent"):
        agent("--state", str(tmp_path))
    assert machine.enrolled == {}
