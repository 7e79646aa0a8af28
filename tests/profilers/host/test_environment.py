"""What hosts say of themselves, read from text as a server, a Raspberry Pi and a container show it."""

from collections.abc import Callable
from pathlib import Path

import pytest

from profilers.host.arm_parts import arm_processor
from profilers.host.cpus import choose_cpus
from profilers.host.device import describe_device
from profilers.host.environment import EnvironmentReader

HOSTS = Path(__file__).parents[2] / "data/hosts"
GIB = 2**30
Unpack = Callable[[str], Path]


@pytest.fixture
def host(tmp_path: Path) -> Unpack:
    return lambda name: unpack(name, tmp_path / name)


def unpack(name: str, root: Path) -> Path:
    """Lay a host's files out: `==> path` lines, each followed by the text; backslash and zero stand for a zero byte."""
    for part in (HOSTS / f"{name}.txt").read_text().split("==> ")[1:]:
        path, _, text = part.partition("\n")
        (root / path).parent.mkdir(parents=True, exist_ok=True)
        (root / path).write_text(text.replace("\\0\n", "\0"))
    return root


def test_a_server(host: Unpack) -> None:
    device = describe_device(host("x86_server"))
    assert device.name == "rack7"
    assert device.machine == "x86_64"
    assert device.processor == "Intel(R) Xeon(R) Gold 6338 CPU @ 2.00GHz"
    assert (device.physical_cores, device.logical_cores) == (4, 8)
    assert device.memory_bytes == 131743928 * 1024
    assert device.cache_bytes == {"L1d": 48 * 1024, "L1i": 32 * 1024, "L2": 1280 * 1024, "L3": 48 * 2**20}
    assert device.features == ("sse4_2", "avx", "f16c", "fma", "avx2", "avx512f", "avx512bw", "avx512vl", "avx512_vnni")
    assert device.system == "Ubuntu 24.04.1 LTS, Linux 6.8.0-48-generic"
    assert device.details == {"governor": "performance", "threads_per_core": "2"}


def test_a_raspberry_pi(host: Unpack) -> None:
    device = describe_device(host("raspberry_pi_4"))
    assert device.machine == "aarch64"
    assert device.processor == "Cortex-A72 · Raspberry Pi 4 Model B Rev 1.4"
    assert (device.physical_cores, device.logical_cores) == (4, 4)
    assert device.features == ("asimd",)


def test_a_container_is_as_large_as_its_limits(host: Unpack) -> None:
    device = describe_device(host("container"))
    assert device.memory_bytes == 2 * GIB
    assert (device.physical_cores, device.logical_cores) == (3, 3)
    assert device.details["container"] == "docker"
    assert device.details["virtualisation"] == "Amazon EC2 m6a.4xlarge"


@pytest.mark.parametrize("name", ["x86_server", "raspberry_pi_4", "container"])
def test_the_fingerprint_survives_a_new_host_name_limits_and_kernel(name: str, host: Unpack) -> None:
    root = host(name)
    before = describe_device(root).fingerprint
    (root / "proc/sys/kernel/hostname").write_text("renamed\n")
    (root / "proc/sys/kernel/osrelease").write_text("7.0.0\n")
    (root / "sys/fs/cgroup").mkdir(parents=True, exist_ok=True)
    (root / "sys/fs/cgroup/memory.max").write_text("1073741824\n")
    assert describe_device(root).fingerprint == before


def test_machines_have_fingerprints_of_their_own(host: Unpack) -> None:
    root = host("x86_server")
    before = describe_device(root).fingerprint
    (root / "etc/machine-id").write_text("another\n")
    prints = {
        before,
        describe_device(root).fingerprint,
        *(describe_device(host(n)).fingerprint for n in ("container", "raspberry_pi_4")),
    }
    assert len(prints) == 4


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


def test_a_version_1_control_group_and_a_nested_one_count_too(host: Unpack) -> None:
    root = host("x86_server")
    (root / "proc/self/cgroup").write_text("5:memory:/a/b\n4:cpu,cpuacct:/a\n")
    for path, text in {
        "sys/fs/cgroup/memory/a/memory.limit_in_bytes": "1073741824\n",
        "sys/fs/cgroup/memory/memory.limit_in_bytes": "9223372036854771712\n",
        "sys/fs/cgroup/cpu,cpuacct/a/cpu.cfs_quota_us": "150000\n",
        "sys/fs/cgroup/cpu,cpuacct/a/cpu.cfs_period_us": "100000\n",
        "sys/fs/cgroup/cpu,cpuacct/cpu.cfs_quota_us": "-1\n",
    }.items():
        (root / path).parent.mkdir(parents=True, exist_ok=True)
        (root / path).write_text(text)
    device = describe_device(root)
    assert (device.memory_bytes, device.logical_cores) == (GIB, 2)


def test_a_host_that_tells_nothing_is_still_described(tmp_path: Path) -> None:
    device, state = describe_device(tmp_path), EnvironmentReader(tmp_path).read()
    assert device.fingerprint
    assert device.memory_bytes > 0
    assert device.logical_cores >= 1
    assert (state.load_1m, state.steal_share, state.temperature_c, state.throttled) == (None, None, None, None)


def test_this_machine_is_the_same_twice() -> None:
    assert describe_device() == describe_device()


@pytest.mark.parametrize(
    ("numbers", "name"),
    [
        (("0x41", "0xd0b"), "Cortex-A76"),
        (("0x41", "0xfff"), "ARM part 0xfff"),
        (("0x99", "0x001"), "implementer 0x99 part 0x001"),
        (("", ""), ""),
    ],
)
def test_arm_cores_get_names(numbers: tuple[str, str], name: str) -> None:
    assert arm_processor(*numbers) == name


def test_each_thread_gets_a_core_of_its_own_before_siblings_are_used(host: Unpack) -> None:
    root, every = host("x86_server"), frozenset(range(8))
    assert choose_cpus(1, allowed=every, root=root) == {7}
    assert choose_cpus(3, allowed=every, root=root) == {5, 6, 7}
    assert choose_cpus(5, allowed=every, root=root) == {3, 4, 5, 6, 7}
    assert choose_cpus(8, allowed=every, root=root) == every
    assert choose_cpus(9, allowed=every, root=root) == every
    assert choose_cpus(1, allowed=frozenset({0, 2}), root=root) == {2}


def test_fast_cores_come_first(tmp_path: Path) -> None:
    for cpu, capacity in enumerate((1024, 1024, 400, 400)):
        place = tmp_path / f"sys/devices/system/cpu/cpu{cpu}"
        place.mkdir(parents=True)
        (place / "cpu_capacity").write_text(f"{capacity}\n")
    assert choose_cpus(2, allowed=frozenset(range(4)), root=tmp_path) == {0, 1}
