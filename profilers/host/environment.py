"""What the host is, and what state it is in, read from `/proc` and `/sys`.

Every function takes the folder that stands for `/`, so that captured text of other machines tests it. Where Linux's
files are missing (another operating system), the standard library and psutil answer what they can.
"""

import hashlib
import os
import platform
import re
import time
from collections.abc import Iterator, Mapping
from importlib.metadata import PackageNotFoundError, version
from math import ceil
from pathlib import Path

from latcast.schema import Device, Environment
from profilers.host.arm_parts import arm_processor

__all__ = ["EnvironmentReader", "describe_device"]

HOST = Path("/")
GIB = 2**30
CPUS = "sys/devices/system/cpu"
SOFTWARE = ("onnxruntime", "openvino", "numpy")
FEATURES = (
    "sse4_2", "avx", "f16c", "fma", "avx2", "avx_vnni", "avx512f", "avx512bw", "avx512vl", "avx512_vnni",
    "avx512_bf16", "avx512_fp16", "amx_tile", "amx_int8", "amx_bf16", "neon", "asimd", "fphp", "asimdhp", "asimddp",
    "i8mm", "bf16", "sve", "sve2", "sme",
)  # fmt: skip
"""Extensions that matrix kernels choose by, in the order of their age."""


def describe_device(root: Path = HOST) -> Device:
    """This machine, as the scheduler and the container grant it to us.

    Args:
        root: what stands for `/`.
    """
    host = _Host(root)
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


class _Host:
    """The files of one host, read as they are asked for; a missing one reads as empty."""

    def __init__(self, root: Path) -> None:
        self.root = root

    def text(self, path: str) -> str:
        try:
            return (self.root / path).read_text(errors="replace").strip("\0\n ")
        except OSError:
            return ""

    def number(self, path: str) -> int | None:
        text = self.text(path)
        return int(text) if re.fullmatch(r"-?\d+", text) else None

    def numbers(self, pattern: str) -> list[int]:
        paths = sorted(str(path.relative_to(self.root)) for path in self.root.glob(pattern))
        return [value for value in map(self.number, paths) if value is not None]

    def field(self, path: str, key: str) -> str:
        """Value of the first line `key: value` or `key = value` of a file."""
        found = re.search(rf"^{re.escape(key)}\s*[:=]\s*(.*)$", self.text(path), re.MULTILINE)
        return found[1].strip().strip('"') if found else ""

    def kib(self, path: str, key: str) -> int | None:
        found = re.match(r"(\d+)\s*kB", self.field(path, key))
        return int(found[1]) * 1024 if found else None

    # identity

    def fingerprint(self) -> str:
        """Survives restarts, and changes of a container's limits and host name."""
        identity = self.identity() or f"{self.text('proc/sys/kernel/hostname')}:{platform.node()}"
        memory_gib = round((self.kib("proc/meminfo", "MemTotal") or 0) / GIB)
        parts = (identity, self.machine(), self.processor(), str(memory_gib))
        return hashlib.sha256("\n".join(parts).encode()).hexdigest()[:32]

    def identity(self) -> str:
        """The first of the host's own identifiers that can be read."""
        places = ("etc/machine-id", "var/lib/dbus/machine-id", "proc/device-tree/serial-number",
                  "sys/class/dmi/id/product_uuid")  # fmt: skip
        return next((text for text in map(self.text, places) if text), "")

    def machine(self) -> str:
        return self.text("proc/sys/kernel/arch") or platform.machine()

    def system(self) -> str:
        kernel = " ".join(filter(None, map(self.text, ("proc/sys/kernel/ostype", "proc/sys/kernel/osrelease"))))
        return ", ".join(filter(None, (self.field("etc/os-release", "PRETTY_NAME"), kernel))) or platform.platform()

    # processor

    def processor(self) -> str:
        board = self.text("proc/device-tree/model")
        name = self.field("proc/cpuinfo", "model name") or arm_processor(
            self.field("proc/cpuinfo", "CPU implementer"), self.field("proc/cpuinfo", "CPU part")
        )
        return " · ".join(filter(None, (name, board))) or platform.processor() or "unknown processor"

    def features(self) -> tuple[str, ...]:
        listed = self.field("proc/cpuinfo", "flags") or self.field("proc/cpuinfo", "Features")
        return tuple(name for name in FEATURES if name in listed.split())

    def allowed_cpus(self) -> frozenset[int]:
        listed = self.field("proc/self/status", "Cpus_allowed_list")
        return frozenset(_expand(listed)) or frozenset(range(os.cpu_count() or 1))

    def physical_cores(self, cpus: frozenset[int]) -> int:
        cores = {self.text(f"{CPUS}/cpu{cpu}/topology/thread_siblings_list") or str(cpu) for cpu in cpus}
        return min(len(cores), self.cpu_quota() or len(cores))

    def cache_bytes(self) -> dict[str, int]:
        found: dict[str, int] = {}
        for path in sorted((self.root / CPUS / "cpu0/cache").glob("index*")):
            place = str(path.relative_to(self.root))
            size = re.fullmatch(r"(\d+)([KM])", self.text(f"{place}/size"))
            letter = {"Data": "d", "Instruction": "i"}.get(self.text(f"{place}/type"), "")
            if size:
                found[f"L{self.text(f'{place}/level')}{letter}"] = int(size[1]) * (1024 if size[2] == "K" else 2**20)
        return found

    # limits of a container

    def groups(self, controller: str) -> Iterator[str]:
        """Folders of the control groups that hold us, from our own up to the root (cgroup v2, then v1)."""
        for line in self.text("proc/self/cgroup").splitlines():
            _, controllers, path = (*line.split(":", 2), "", "")[:3]
            if controllers and controller not in controllers.split(","):
                continue
            base = Path("sys/fs/cgroup", controllers if controllers else "")
            parts = Path(path.lstrip("/")).parts
            yield from (str(base.joinpath(*parts[:depth])) for depth in range(len(parts), -1, -1))

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

    def memory_limit(self) -> tuple[int, str] | None:
        """The narrowest limit of our control groups in bytes, and the group it belongs to."""
        limits = [
            (limit, group)
            for group in self.groups("memory")
            for name in ("memory.max", "memory.limit_in_bytes")
            if (limit := self.number(f"{group}/{name}")) is not None
        ]
        return min(limits, default=None)

    def memory_bytes(self) -> int:
        total = self.kib("proc/meminfo", "MemTotal") or _psutil_memory()[0]
        limit = self.memory_limit()
        return min(total, limit[0]) if limit else total

    # what else is worth showing

    def details(self) -> dict[str, str]:
        return {
            "virtualisation": self.virtualisation(),
            "container": self.container(),
            "governor": self.governor(),
            "threads_per_core": str(len(list(_expand(self.text(f"{CPUS}/cpu0/topology/thread_siblings_list"))) or [0])),
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

    def governor(self) -> str:
        return self.text(f"{CPUS}/cpu0/cpufreq/scaling_governor")

    # state

    def frequency_mhz(self) -> float | None:
        kilohertz = self.numbers(f"{CPUS}/cpu[0-9]*/cpufreq/scaling_cur_freq")
        if kilohertz:
            return sum(kilohertz) / len(kilohertz) / 1e3
        listed = re.findall(r"^cpu MHz\s*:\s*([\d.]+)", self.text("proc/cpuinfo"), re.MULTILINE)
        return sum(map(float, listed)) / len(listed) if listed else None

    def temperature_c(self) -> float | None:
        readings = self.numbers("sys/class/thermal/thermal_zone*/temp") + self.numbers("sys/class/hwmon/*/temp*_input")
        plausible = [value / 1e3 for value in readings if 0 < value < 150_000]
        return max(plausible, default=None)

    def throttle_count(self) -> int | None:
        """Events of thermal throttling so far (x86); None where the host does not count them."""
        counts = self.numbers(f"{CPUS}/cpu[0-9]*/thermal_throttle/*_throttle_count")
        return sum(counts) if counts else None

    def firmware_throttles(self) -> bool | None:
        """Whether a Raspberry Pi's firmware caps the frequency at this moment (bits 0–3 of its word)."""
        word = self.text("sys/devices/platform/soc/soc:firmware/get_throttled")
        return bool(int(word, 16) & 0xF) if re.fullmatch(r"(0x)?[0-9a-fA-F]+", word) else None

    def cpu_ticks(self) -> tuple[int, int] | None:
        """(stolen, all) ticks since the start; guest time is part of user time."""
        found = re.match(r"cpu\s+([\d ]+)", self.text("proc/stat"))
        ticks = [int(field) for field in found[1].split()[:8]] if found else []
        return (ticks[7], sum(ticks)) if len(ticks) == 8 else None

    def available_memory_bytes(self) -> int:
        available = self.kib("proc/meminfo", "MemAvailable") or _psutil_memory()[1]
        limit = self.memory_limit()
        used = self.number(f"{limit[1]}/memory.current") if limit else None
        return min(available, max(0, limit[0] - used)) if limit and used is not None else available


class EnvironmentReader:
    """Reads the host's state again and again; shares are of the time since the reading before.

    Args:
        root: what stands for `/`.
    """

    def __init__(self, root: Path = HOST) -> None:
        self._host = _Host(root)
        self._ticks, self._throttle_count = self._host.cpu_ticks(), self._host.throttle_count()

    def read(self) -> Environment:
        """The state now."""
        host = self._host
        load = host.text("proc/loadavg").split()
        switches = host.field("proc/self/status", "nonvoluntary_ctxt_switches")
        return Environment(
            time_unix_s=time.time(),
            load_1m=float(load[0]) if load else None,
            steal_share=self._steal_share(),
            context_switches=int(switches) if switches.isdigit() else None,
            frequency_mhz=host.frequency_mhz(),
            governor=host.governor() or None,
            temperature_c=host.temperature_c(),
            throttled=self._throttled(),
            available_memory_bytes=host.available_memory_bytes(),
            versions=_versions(host),
        )

    def _steal_share(self) -> float | None:
        before, now = self._ticks, self._host.cpu_ticks()
        self._ticks = now
        if before is None or now is None:
            return None
        elapsed = now[1] - before[1]
        return max(0, now[0] - before[0]) / elapsed if elapsed > 0 else 0.0

    def _throttled(self) -> bool | None:
        before, now = self._throttle_count, self._host.throttle_count()
        self._throttle_count = now
        counted = None if before is None or now is None else now > before
        return self._host.firmware_throttles() if counted is None else counted


def _versions(host: _Host) -> Mapping[str, str]:
    found = {
        "python": platform.python_version(),
        "kernel": host.text("proc/sys/kernel/osrelease") or platform.release(),
    }
    for name in SOFTWARE:
        try:
            found[name] = version(name)
        except PackageNotFoundError:
            continue
    return found


def _expand(listed: str) -> Iterator[int]:
    """Numbers of a list such as `0-3,8`."""
    for part in filter(None, listed.split(",")):
        first, _, last = part.partition("-")
        yield from range(int(first), int(last or first) + 1)


def _psutil_memory() -> tuple[int, int]:
    """(all, available) memory in bytes, where /proc does not tell."""
    import psutil

    memory = psutil.virtual_memory()
    return memory.total, memory.available
