"""A CPU quota of the kernel's own, where this machine lets us set one."""

import json
import subprocess
import sys
from collections.abc import Iterator
from contextlib import suppress
from pathlib import Path
from uuid import uuid4

import onnx
import pytest

CGROUPS = Path("/sys/fs/cgroup")
PERIOD_US = 20_000
QUOTA_US = 4_000
BUSY = """
import json, sys, time
from pathlib import Path
from profilers.host.environment import EnvironmentReader, stopped_by_quota
Path(sys.argv[1], "cgroup.procs").write_text("0")
reader = EnvironmentReader()
end = time.monotonic() + 1.0
while time.monotonic() < end:
    pass
state = reader.read()
print(json.dumps([state.quota_throttled_share, state.quota_throttled_s, stopped_by_quota(state)]))
"""


MEASURED = """
import json, sys
from pathlib import Path
from latcast.schema import ProfileSettings
from profilers.host.device import describe_device
from profilers.timing.sandbox import measure
Path(sys.argv[1], "cgroup.procs").write_text("0")
settings = ProfileSettings(processes=1, max_seconds=0.5, kernels=False)
taken = measure(Path(sys.argv[2]).read_bytes(), device=describe_device(), settings=settings)
print(json.dumps([taken.after.quota_throttled_share, taken.after.quota_throttled_s, taken.noisy]))
"""
SQUEEZENET = Path(onnx.__file__).parent / "backend/test/data/light/light_squeezenet.onnx"


def limited(group: Path) -> None:
    """Give a group a fifth of a CPU, in version 2 or 1."""
    if (group / "cpu.cfs_quota_us").exists():
        (group / "cpu.cfs_period_us").write_text(str(PERIOD_US))
        (group / "cpu.cfs_quota_us").write_text(str(QUOTA_US))
    else:
        (group / "cpu.max").write_text(f"{QUOTA_US} {PERIOD_US}")


@pytest.fixture
def group() -> Iterator[Path]:
    """A control group of this test's own with a quota."""
    folder = next((path for path in (CGROUPS / "cpu,cpuacct", CGROUPS / "cpu") if path.is_dir()), CGROUPS)
    made = folder / f"latcast-test-{uuid4().hex[:8]}"
    try:
        made.mkdir()
    except OSError as error:
        pytest.skip(f"no control group can be made in {folder}: {error.strerror}")
    try:
        limited(made)
        yield made
    except OSError as error:
        pytest.skip(f"the control group {made} takes no quota: {error.strerror}")
    finally:
        with suppress(OSError):
            made.rmdir()


@pytest.mark.parametrize(("script", "share"), [(BUSY, 0.5), (MEASURED, 0.05)], ids=["a loop", "a measurement"])
def test_a_quota_that_stops_a_process_is_seen_and_flagged(group: Path, script: str, share: float) -> None:
    command = [sys.executable, "-c", script, str(group), str(SQUEEZENET)]
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    if "cgroup.procs" in done.stderr:
        pytest.skip(f"no process may enter the control group: {done.stderr.splitlines()[-1]}")
    assert done.returncode == 0, done.stderr
    stopped, seconds, flagged = json.loads(done.stdout)
    assert stopped > share
    assert seconds > 0.1
    assert flagged
