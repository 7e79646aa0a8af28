"""What child processes inherit, and what their ends mean."""

import os
import signal
import subprocess
import textwrap
from pathlib import Path

import psutil
import pytest

from profilers.host.child_limits import ChildLimits
from profilers.host.children import broken_answer, explain_end, kill, start_child

LIMITS = ChildLimits(timeout_s=30.0, memory_bytes=2**29, file_bytes=2**20)


@pytest.fixture
def module(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> str:
    """A module that says what it sees."""
    monkeypatch.setenv("PYTHONPATH", str(tmp_path))
    (tmp_path / "seeing.py").write_text(
        textwrap.dedent("""
        import os, sys
        print(sorted(os.environ))
        print(os.listdir("/proc/self/fd"))
        print(sys.argv[1:], "" in sys.path, hash("a text"))
    """)
    )
    return "seeing"


def said(module: str, folder: Path, *, random_hashes: bool = False) -> list[str]:
    output = folder / "log"
    process = start_child(module, "one", "two", folder=folder, output=output, random_hashes=random_hashes)
    assert process.wait(60) == 0
    return output.read_text().splitlines()


def test_a_child_sees_no_secrets_and_no_open_files(
    module: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("LATCAST_KEY", "very secret")
    with (tmp_path / "open").open("w") as held:
        os.set_inheritable(held.fileno(), True)
        names, files, _ = said(module, tmp_path)
    assert "LATCAST_KEY" not in names
    assert "ORT_DISABLE_TELEMETRY" in names
    assert len(files.split(",")) <= 4


def test_a_child_imports_nothing_from_where_it_works(module: str, tmp_path: Path) -> None:
    assert said(module, tmp_path)[2].startswith("['one', 'two'] False")


def test_hashes_are_the_same_unless_they_have_to_resist(module: str, tmp_path: Path) -> None:
    assert said(module, tmp_path)[2] == said(module, tmp_path)[2]
    assert said(module, tmp_path, random_hashes=True)[2] != said(module, tmp_path, random_hashes=True)[2]


def test_a_child_is_killed_with_all_that_it_started(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("PYTHONPATH", str(tmp_path))
    (tmp_path / "family.py").write_text(
        "import subprocess, sys, time\nsubprocess.Popen(['sleep', '60'])\nprint('.', flush=True)\ntime.sleep(60)\n"
    )
    process = start_child("family", folder=tmp_path, output=tmp_path / "log", pipes=True)
    assert process.stdout is not None
    process.stdout.read(1)
    family = psutil.Process(process.pid).children(recursive=True)
    assert family
    kill(process)
    kill(process)
    assert process.returncode == -signal.SIGKILL
    assert all(status(member) in (None, psutil.STATUS_ZOMBIE) for member in psutil.wait_procs(family, timeout=20)[1])


def status(process: psutil.Process) -> str | None:
    try:
        return str(process.status())
    except psutil.NoSuchProcess:
        return None


def test_output_can_be_dropped(module: str, tmp_path: Path) -> None:
    process = start_child(module, folder=tmp_path, output=None)
    assert isinstance(process, subprocess.Popen)
    assert process.wait(60) == 0
    assert not (tmp_path / "log").exists()


@pytest.mark.parametrize(
    ("code", "said", "stage", "words"),
    [
        (None, "", "timeout", "30 s"),
        (-signal.SIGKILL, "", "memory", "ran out of memory"),
        (-signal.SIGABRT, "terminate called after throwing std::bad_alloc", "memory", "512 MiB"),
        (-signal.SIGILL, "", "crash", "SIGILL"),
        (-250, "", "crash", "signal 250"),
        (0, "", "crash", "no answer"),
        (1, "Traceback\x1b[31m of something", "crash", "Traceback?[31m"),
    ],
)
def test_every_end_of_a_child_has_a_sentence(
    code: int | None, said: str, stage: str, words: str, tmp_path: Path
) -> None:
    (tmp_path / "log").write_text("x" * 10_000 + said)
    failure = explain_end(code, tmp_path / "log", LIMITS)
    assert failure.stage == stage
    assert words in failure.message
    assert len(failure.message) < 2500


def test_a_broken_answer_has_a_sentence_too() -> None:
    failure = broken_answer(ValueError("no JSON"))
    assert failure.stage == "crash"
    assert "no JSON" in failure.message
