"""The state of hosts, read from text as a server, a Raspberry Pi and a container show it."""

from collections.abc import Callable
from pathlib import Path

import pytest

from profilers.host.environment import EnvironmentReader, stopped_by_quota

Unpack = Callable[[str], Path]


def test_the_state_of_a_server(host: Unpack) -> None:
    state = EnvironmentReader(host("x86_server")).read()
    assert state.load_1m == 0.52
    assert state.context_switches == 12
    assert state.frequency_mhz == 1250.0
    assert state.governor == "performance"
    assert state.temperature_c == 56.0
    assert state.throttled is False
    assert state.available_memory_bytes == 120118296 * 1024
    assert state.versions["kernel"] == "6.8.0-48-generic"


def test_throttling_is_what_happened_since_the_reading_before(host: Unpack) -> None:
    root = host("x86_server")
    reader = EnvironmentReader(root)
    (root / "sys/devices/system/cpu/cpu5/thermal_throttle/core_throttle_count").write_text("4\n")
    assert reader.read().throttled is True
    assert reader.read().throttled is False


def test_a_raspberry_pi_that_is_throttled_now_says_so(host: Unpack) -> None:
    root = host("raspberry_pi_4")
    assert EnvironmentReader(root).read().throttled is True
    (root / "sys/devices/platform/soc/soc:firmware/get_throttled").write_text("50000\n")
    assert EnvironmentReader(root).read().throttled is False


def test_stolen_time_is_a_share_of_the_time_since_the_reading_before(host: Unpack) -> None:
    root = host("container")
    reader = EnvironmentReader(root)
    (root / "proc/stat").write_text("cpu  1300 0 1100 7500 0 0 0 1100 0 0\n")
    assert reader.read().steal_share == pytest.approx(0.1)
    assert reader.read().steal_share == 0.0


def test_a_containers_free_memory_is_below_its_limit(host: Unpack) -> None:
    assert EnvironmentReader(host("container")).read().available_memory_bytes == 2147483648 - 536870912


def test_a_host_that_tells_nothing_still_has_a_state(tmp_path: Path) -> None:
    state = EnvironmentReader(tmp_path).read()
    assert (state.load_1m, state.steal_share, state.temperature_c, state.throttled) == (None, None, None, None)
    assert state.available_memory_bytes is not None
    assert state.available_memory_bytes > 0
    assert state.versions["python"]


def quota(root: Path, stopped: int, periods: int, *, folder: str = "sys/fs/cgroup") -> None:
    (root / folder).mkdir(parents=True, exist_ok=True)
    (root / folder / "cpu.stat").write_text(f"usage_usec 1\nnr_periods {periods}\nnr_throttled {stopped}\n")


@pytest.mark.parametrize(
    ("cgroup", "folder"),
    [
        ("0::/\n", "sys/fs/cgroup"),
        ("0::/a/b\n", "sys/fs/cgroup/a"),
        ("1:cpu,cpuacct:/x\n", "sys/fs/cgroup/cpu,cpuacct/x"),
    ],
)
def test_a_quota_counts_since_the_reading_before(tmp_path: Path, cgroup: str, folder: str) -> None:
    (tmp_path / "proc/self").mkdir(parents=True)
    (tmp_path / "proc/self/cgroup").write_text(cgroup)
    assert EnvironmentReader(tmp_path).read().quota_throttled_share is None
    quota(tmp_path, 10, 100, folder=folder)
    reader = EnvironmentReader(tmp_path)
    quota(tmp_path, 70, 169, folder=folder)
    state = reader.read()
    assert state.quota_throttled_share == pytest.approx(60 / 69)
    assert stopped_by_quota(state)
    again = reader.read()
    assert again.quota_throttled_share == 0.0
    assert not stopped_by_quota(again)
    assert not stopped_by_quota(None)
