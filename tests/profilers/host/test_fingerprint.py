"""A machine keeps its fingerprint whatever moves on it, and no two machines share one."""

from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import pytest

from profilers.host.device import describe_device
from profilers.host.fingerprint import DEVICE_ID_VARIABLE, former_fingerprint, same_hardware

Unpack = Callable[[str], Path]
HOSTS = ("x86_server", "raspberry_pi_4", "container")


@pytest.fixture(autouse=True)
def _no_device_id(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv(DEVICE_ID_VARIABLE, raising=False)


def put(root: Path, path: str, text: str) -> None:
    (root / path).parent.mkdir(parents=True, exist_ok=True)
    (root / path).write_text(text)


def change(root: Path, path: str, old: str, new: str) -> None:
    text = (root / path).read_text()
    assert old in text
    (root / path).write_text(text.replace(old, new))


@pytest.mark.parametrize("name", HOSTS)
def test_it_survives_whatever_moves_while_a_machine_stays_the_same(name: str, host: Unpack) -> None:
    root = host(name)
    before = describe_device(root).fingerprint
    put(root, "proc/sys/kernel/hostname", "renamed\n")
    put(root, "proc/sys/kernel/osrelease", "7.0.0\n")
    put(root, "sys/fs/cgroup/memory.max", "1073741824\n")
    put(root, "sys/fs/cgroup/cpu.max", "100000 100000\n")
    put(root, "proc/self/status", "Cpus_allowed_list:\t0\n")
    put(root, "proc/meminfo", "MemTotal:       8000000 kB\n")
    put(root, "sys/devices/system/cpu/cpu0/cpufreq/scaling_governor", "powersave\n")
    cpuinfo = (root / "proc/cpuinfo").read_text().replace("\nflags\t\t: ", "\nflags\t\t: md_clear amx_tile ")
    put(root, "proc/cpuinfo", cpuinfo.replace("\nstepping", "\nmicrocode\t: 0xff\ncpu MHz\t\t: 1234.5\nstepping"))
    assert describe_device(root).fingerprint == before


@pytest.mark.parametrize(
    ("field", "other"),
    [("model name\t: ", "model name\t: Other "), ("cpu family\t: ", "cpu family\t: 1"), ("model\t\t: ", "model\t\t: 1"),
     ("stepping\t: ", "stepping\t: 1"), (" avx2 ", " ")],
)  # fmt: skip
def test_a_copied_image_on_another_processor_is_another_device(field: str, other: str, host: Unpack) -> None:
    root = host("x86_server")
    before, former = describe_device(root).fingerprint, former_fingerprint(root)
    change(root, "proc/cpuinfo", field, other)
    assert describe_device(root).fingerprint != before
    assert (former_fingerprint(root) == former) is (field != "model name\t: ")


def test_other_caches_or_cores_are_another_device(host: Unpack) -> None:
    root = host("x86_server")
    prints = {describe_device(root).fingerprint}
    put(root, "sys/devices/system/cpu/cpu0/cache/index2/size", "2048K\n")
    prints.add(describe_device(root).fingerprint)
    put(root, "sys/devices/system/cpu/present", "0-63\n")
    prints.add(describe_device(root).fingerprint)
    assert len(prints) == 3


@pytest.mark.parametrize("path", ["etc/machine-id", "proc/device-tree/serial-number", "var/lib/cloud/data/instance-id"])
def test_machines_of_one_kind_are_told_apart_by_their_own_ids(path: str, host: Unpack) -> None:
    root = host("raspberry_pi_4")
    put(root, path, "one\n")
    before = describe_device(root).fingerprint
    put(root, path, "two\n")
    assert describe_device(root).fingerprint != before


def test_an_image_that_was_never_started_has_no_machine_id(host: Unpack) -> None:
    root = host("x86_server")
    put(root, "etc/machine-id", "uninitialized\n")
    before = describe_device(root).fingerprint
    put(root, "var/lib/dbus/machine-id", "its-own\n")
    assert describe_device(root).fingerprint != before


def test_a_device_id_tells_boards_of_one_image_apart(host: Unpack, monkeypatch: pytest.MonkeyPatch) -> None:
    root = host("raspberry_pi_4")
    own, one, two = (describe_device(root, device_id=name).fingerprint for name in (None, "board-1", "board-2"))
    assert len({own, one, two}) == 3
    put(root, "etc/machine-id", "another\n")
    assert describe_device(root, device_id="board-1").fingerprint == one, "it stands for the ids of the machine"
    monkeypatch.setenv(DEVICE_ID_VARIABLE, "board-2")
    assert describe_device(root).fingerprint == two
    assert describe_device(root, device_id="board-1").fingerprint == one
    change(root, "proc/cpuinfo", "CPU part\t: 0xd08", "CPU part\t: 0xd0b")
    assert describe_device(root).fingerprint != two, "the same card in another board"


def test_the_former_fingerprint_is_that_of_version_0_1(host: Unpack) -> None:
    assert [former_fingerprint(host(name)) for name in HOSTS] == [
        "9bf6a2d155179327be5090c5f218b7ec",
        "6cc8a847e8000573e0736161dd79f312",
        "15864398e761d010a8094a382aa421b9",
    ]


def test_hardware_agrees_across_kernels_and_limits_only(host: Unpack) -> None:
    device = describe_device(host("x86_server"))
    moved = replace(
        device, name="renamed", fingerprint="other", physical_cores=1, logical_cores=1, memory_bytes=2**30,
        features=(*device.features, "amx_tile"), system="another", details={},
    )  # fmt: skip
    assert same_hardware(device, moved)
    for changes in ({"processor": "other"}, {"machine": "arm64"}, {"features": ("avx2",)}, {"cache_bytes": {"L2": 1}}):
        assert not same_hardware(device, replace(device, **changes))
