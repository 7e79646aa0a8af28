"""What hosts are, read from text as a server, a Raspberry Pi and a container show it."""

from collections.abc import Callable
from pathlib import Path

import pytest

from profilers.host.device import describe_device

GIB = 2**30
Unpack = Callable[[str], Path]


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
    device = describe_device(tmp_path)
    assert device.fingerprint
    assert device.memory_bytes > 0
    assert device.logical_cores >= 1


def test_this_machine_is_the_same_twice() -> None:
    assert describe_device() == describe_device()
