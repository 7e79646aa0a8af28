"""The CPUs that a measurement runs on."""

import os
from collections.abc import Callable
from pathlib import Path

import pytest

from latcast.schema import Device, InputError
from profilers.host.cpus import choose_cpus, cpus_for, pin, refuse_more_threads_than_cpus

Unpack = Callable[[str], Path]


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


@pytest.mark.skipif(not hasattr(os, "sched_setaffinity"), reason="this host cannot pin processes")
def test_a_process_is_pinned_to_cpus_that_it_may_use() -> None:
    allowed = os.sched_getaffinity(0)
    chosen = cpus_for(1)
    try:
        pin(frozenset(chosen))
        assert os.sched_getaffinity(0) == set(chosen) <= allowed
    finally:
        os.sched_setaffinity(0, allowed)


def test_a_host_without_affinities_pins_nothing(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delattr(os, "sched_getaffinity", raising=False)
    assert cpus_for(2) == ()


def test_threads_that_would_wait_for_each_other_are_refused() -> None:
    device = Device(fingerprint="f", name="n", machine="m", processor="p", physical_cores=2, logical_cores=2,
                    memory_bytes=1)  # fmt: skip
    refuse_more_threads_than_cpus(2, device)
    with pytest.raises(InputError, match=r"3 threads cannot be measured: this process may use 2 CPUs.*--threads 2 or"):
        refuse_more_threads_than_cpus(3, device)
