"""The state of the host: load, stolen time, frequency, temperature and free memory, as an `Environment` record."""

import platform
import re
import time
from collections.abc import Mapping
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path
from typing import NamedTuple

from latcast.schema import Environment
from profilers.host.host_files import CPUS, HOST, HostFiles, psutil_memory

__all__ = ["EnvironmentReader", "stopped_by_quota"]

QUOTA_SHARE = 0.05
"""Share of a CPU quota's periods; processes that are stopped in fewer are not disturbed by it."""
SOFTWARE = ("onnxruntime", "openvino", "numpy")


def stopped_by_quota(environment: Environment | None) -> bool:
    """Whether a container's CPU quota stopped its processes often since the reading before this one."""
    return environment is not None and (environment.quota_throttled_share or 0.0) > QUOTA_SHARE


class _Throttling(NamedTuple):
    """What a CPU quota did so far: periods in which it stopped us, all its periods, and for how long, in s."""

    stopped: int
    periods: int
    seconds: float


NOTHING = _Throttling(0, 0, 0.0)


class _State(HostFiles):
    """What changes while a host runs."""

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
        line = re.match(r"cpu\s+([\d ]+)", self.text("proc/stat"))
        ticks = [int(field) for field in line[1].split()[:8]] if line else []
        return (ticks[7], sum(ticks)) if len(ticks) == 8 else None

    def quotas(self) -> dict[str, _Throttling]:
        """What the CPU quotas of the control groups that hold us did so far, by group; only of those that have one."""
        quotas = {}
        for group in self.groups("cpu"):
            stat = f"{group}/cpu.stat"
            stopped, periods = (self.field_of(stat, name) for name in ("nr_throttled", "nr_periods"))
            microseconds, nanoseconds = (self.field_of(stat, name) for name in ("throttled_usec", "throttled_time"))
            if periods:
                seconds = (nanoseconds or 0) / 1e9 if microseconds is None else microseconds / 1e6  # version 1, 2
                quotas[group] = _Throttling(stopped or 0, periods, seconds)
        return quotas

    def field_of(self, path: str, key: str) -> int | None:
        """The number behind a key and a blank."""
        match = re.search(rf"^{key} (\d+)$", self.text(path), re.MULTILINE)
        return int(match[1]) if match else None

    def available_memory_bytes(self) -> int:
        available = self.kib("proc/meminfo", "MemAvailable") or psutil_memory()[1]
        limit = self.memory_limit()
        used = self.number(f"{limit[1]}/memory.current") if limit else None
        return min(available, max(0, limit[0] - used)) if limit and used is not None else available


class EnvironmentReader:
    """Reads the host's state again and again; shares are of the time since the reading before.

    Args:
        root: what stands for `/`.
    """

    def __init__(self, root: Path = HOST) -> None:
        self._host = _State(root)
        self._ticks, self._throttle_count = self._host.cpu_ticks(), self._host.throttle_count()
        self._quotas = self._host.quotas()

    def read(self) -> Environment:
        """The state now."""
        host = self._host
        load = host.text("proc/loadavg").split()
        switches = host.field("proc/self/status", "nonvoluntary_ctxt_switches")
        share, seconds = self._quota()
        return Environment(
            time_unix_s=time.time(),
            load_1m=float(load[0]) if load else None,
            steal_share=self._steal_share(),
            context_switches=int(switches) if switches.isdigit() else None,
            frequency_mhz=host.frequency_mhz(),
            governor=host.governor() or None,
            temperature_c=host.temperature_c(),
            throttled=self._throttled(),
            quota_throttled_share=share,
            quota_throttled_s=seconds,
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

    def _quota(self) -> tuple[float | None, float | None]:
        """Share of periods, and seconds, in which the quota that did most of it stopped us since the reading before."""
        before, now = self._quotas, self._host.quotas()
        self._quotas = now
        since = [_since(before.get(group, NOTHING), late) for group, late in now.items()]
        return max(since, default=(None, None))

    def _throttled(self) -> bool | None:
        before, now = self._throttle_count, self._host.throttle_count()
        self._throttle_count = now
        counted = None if before is None or now is None else now > before
        return self._host.firmware_throttles() if counted is None else counted


def _since(before: _Throttling, now: _Throttling) -> tuple[float, float]:
    """Share of periods, and seconds, in which a quota stopped us between two readings."""
    stopped, periods = now.stopped - before.stopped, now.periods - before.periods
    share = min(1.0, max(0, stopped) / periods) if periods > 0 else 0.0
    return share, max(0.0, now.seconds - before.seconds)


def _versions(host: HostFiles) -> Mapping[str, str]:
    versions = {
        "python": platform.python_version(),
        "kernel": host.text("proc/sys/kernel/osrelease") or platform.release(),
    }
    for name in SOFTWARE:
        try:
            versions[name] = version(name)
        except PackageNotFoundError:
            continue
    return versions
