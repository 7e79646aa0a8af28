"""A process beside the service has its settings, and ends when the service does."""

import subprocess
import sys
from pathlib import Path

import pytest

from service.settings import Settings
from service.worker.embedded.process import BesideService

WORK = """
import sys
from pathlib import Path
from service.worker.embedded.process import run_beside

def work(settings, stop):
    Path(settings.data_dir, "said").write_text(str(settings.lease_seconds))
    stop.wait()

sys.exit(run_beside(work))
"""


def test_it_gets_the_settings_and_ends_with_its_standard_input(tmp_path: Path) -> None:
    settings = Settings(data_dir=tmp_path, lease_seconds=12.5, log_level="error")
    said = subprocess.run(
        [sys.executable, "-c", WORK], input=settings.model_dump_json() + "\n", text=True, timeout=120, check=False
    )
    assert said.returncode == 0
    assert (tmp_path / "said").read_text() == "12.5"


def test_it_is_ended(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (tmp_path / "beside_that_waits.py").write_text(WORK)
    # -P leaves the folder of a program out of the path; the path of the environment stays.
    monkeypatch.setenv("PYTHONPATH", str(tmp_path))
    beside = BesideService("beside_that_waits", Settings(data_dir=tmp_path, log_level="error"))
    assert beside.exit_code() is None
    beside.end()
    assert beside.exit_code() is not None
