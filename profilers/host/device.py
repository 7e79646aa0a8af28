"""What the host is: processor, cores, caches, memory and system, as a `Device` record."""

import os
import platform
from math import ceil
from pathlib import Path

from latcast.schema import Device
from profilers.host.fingerprint import Identity
from profilers.host.host_files import CPUS, HOST, expand_list, psutil_memory

__all__ = ["describe_device"]

FEATURES = (
    "sse4_2", "avx", "f16c", "fma", "avx2", "avx_vnni", "avx512f", "avx512bw", "avx512vl", "avx512_vnni",
    "avx512_bf16", "avx512_fp16", "amx_tile", "amx_int8", "amx_bf16", "neon", "asimd", "fphp", "asimdhp", "asimddp",
    "i8mm", "bf16", "sve", "sve2", "sme",
)  # fmt: skip
"""Extensions that matrix kernels choose by, in the order of their age."""


def describe_device(root: Path = HOST, *, device_id: str | None = None) -> Device:
    """This machine, as the scheduler and the container grant it to us.

    Args:
        root: what stands for `/`.
        device_id: a name that tells machines of one image apart, part of the fingerprint instead of the machine's own
            identifiers; what `LATCAST_DEVICE_ID` holds, if anything, where left out.
    """
    host = _Machine(root, device_id=device_id)
    cpus = host.allowed_cpus()
    return Device(
        fingerprint=host.fingerprint(),
        name=host.text("proc/sys/kernel/hostname") or platform.node() or "unnamed",
        machine=host.machine(),
        processor=host.processor(),
        physical_cores=host.physical_cores(cpus),
        logical_cores=min(len(cpus), host.cpu_quota() or len(cpus)),
        memory_bytes=host.memory_bytes(),
        cache_bytes=host.cache_bytes(),
        features=host.features(),
        system=host.system(),
        details={key: value for key, value in host.details().items() if value},
    )


class _Machine(Identity):
    """What does not change while a host runs, and the limits of the container."""

    def system(self) -> str:
        kernel = " ".join(filter(None, map(self.text, ("proc/sys/kernel/ostype", "proc/sys/kernel/osrelease"))))
        return ", ".join(filter(None, (self.field("etc/os-release", "PRETTY_NAME"), kernel))) or platform.platform()

    def features(self) -> tuple[str, ...]:
        flags = self.flags()
        return tuple(name for name in FEATURES if name in flags)

    def allowed_cpus(self) -> frozenset[int]:
        listed = self.field("proc/self/status", "Cpus_allowed_list")
        return frozenset(expand_list(listed)) or frozenset(range(os.cpu_count() or 1))

    def physical_cores(self, cpus: frozenset[int]) -> int:
        cores = {self.text(f"{CPUS}/cpu{cpu}/topology/thread_siblings_list") or str(cpu) for cpu in cpus}
        return min(len(cores), self.cpu_quota() or len(cores))

    def cpu_quota(self) -> int | None:
        """CPUs' worth of time that the container may use, rounded up."""
        limits = []
        for group in self.groups("cpu"):
            quota, _, period = self.text(f"{group}/cpu.max").partition(" ")
            if not period:
                quota, period = (self.text(f"{group}/cpu.cfs_{name}_us") for name in ("quota", "period"))
            if quota.isdigit() and period.isdigit() and int(period) > 0:
                limits.append(max(1, ceil(int(quota) / int(period))))
        return min(limits, default=None)

    def memory_bytes(self) -> int:
        total = self.kib("proc/meminfo", "MemTotal") or psutil_memory()[0]
        limit = self.memory_limit()
        return min(total, limit[0]) if limit else total

    def details(self) -> dict[str, str]:
        return {
            "virtualisation": self.virtualisation(),
            "container": self.container(),
            "governor": self.governor(),
            "threads_per_core": str(
                len(list(expand_list(self.text(f"{CPUS}/cpu0/topology/thread_siblings_list"))) or [0])
            ),
        }

    def virtualisation(self) -> str:
        flagged = "hypervisor" in self.field("proc/cpuinfo", "flags").split()
        product = " ".join(filter(None, (self.text(f"sys/class/dmi/id/{x}") for x in ("sys_vendor", "product_name"))))
        return (product or "virtual machine") if flagged else self.text("sys/hypervisor/type")

    def container(self) -> str:
        for marker, name in ((".dockerenv", "docker"), ("run/.containerenv", "podman")):
            if (self.root / marker).exists():
                return name
        return "kubernetes" if "kubepods" in self.text("proc/self/cgroup") else ""
