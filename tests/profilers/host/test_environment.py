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


def quota(root: Path, stopped: int, periods: int, *, folder: str = "sys/fs/cgroup", times: str = "") -> None:
    (root / folder).mkdir(parents=True, exist_ok=True)
    counts = f"nr_periods {periods}\nnr_throttled {stopped}\n"
    (root / folder / "cpu.stat").write_text(f"usage_usec 1\n{counts}{times}")


def in_groups(root: Path, *lines: str) -> None:
    (root / "proc/self").mkdir(parents=True, exist_ok=True)
    (root / "proc/self/cgroup").write_text("".join(f"{line}\n" for line in lines))


@pytest.mark.parametrize(
    ("cgroup", "folder"),
    [
        ("0::/", "sys/fs/cgroup"),
        ("0::/a/b", "sys/fs/cgroup/a"),
        ("1:cpu,cpuacct:/x", "sys/fs/cgroup/cpu,cpuacct/x"),
        ("1:cpuacct,cpu:/x", "sys/fs/cgroup/cpu/x"),  # the folder has another order of names, and a link
        ("1:cpu,cpuacct:/docker/c0ffee", "sys/fs/cgroup/cpu,cpuacct"),  # a container sees its own group alone
    ],
)
def test_a_quota_counts_since_the_reading_before(tmp_path: Path, cgroup: str, folder: str) -> None:
    in_groups(tmp_path, cgroup)
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


@pytest.mark.parametrize(
    ("folder", "group", "times"),
    [
        ("sys/fs/cgroup", "0::/", "throttled_usec {0}500000\n"),  # version 2
        ("sys/fs/cgroup/cpu,cpuacct", "4:cpu,cpuacct:/", "throttled_time {0}500000000\n"),  # version 1
    ],
)
def test_how_long_a_quota_stopped_us_is_read_in_both_versions(
    tmp_path: Path, folder: str, group: str, times: str
) -> None:
    in_groups(tmp_path, group)
    quota(tmp_path, 10, 100, folder=folder, times=times.format(1))
    reader = EnvironmentReader(tmp_path)
    quota(tmp_path, 70, 169, folder=folder, times=times.format(4))
    assert reader.read().quota_throttled_s == pytest.approx(3.0)
    assert reader.read().quota_throttled_s == 0.0


def test_of_several_quotas_that_counts_which_stops_us_now(tmp_path: Path) -> None:
    in_groups(tmp_path, "0::/pod/container")
    pod, container = "sys/fs/cgroup/pod", "sys/fs/cgroup/pod/container"
    quota(tmp_path, 90_000, 100_000, folder=pod)  # long ago
    quota(tmp_path, 0, 100, folder=container)
    reader = EnvironmentReader(tmp_path)
    quota(tmp_path, 90_000, 100_010, folder=pod)
    quota(tmp_path, 8, 110, folder=container, times="throttled_usec 700000\n")
    state = reader.read()
    assert (state.quota_throttled_share, state.quota_throttled_s) == (pytest.approx(0.8), pytest.approx(0.7))
    assert stopped_by_quota(state)


def test_a_group_without_a_quota_tells_nothing(tmp_path: Path) -> None:
    in_groups(tmp_path, "0::/")
    quota(tmp_path, 0, 0, times="throttled_usec 0\n")
    state = EnvironmentReader(tmp_path).read()
    assert (state.quota_throttled_share, state.quota_throttled_s) == (None, None)
