"""What a network runs on: machines, targets, their state and what is known of them."""

import hashlib
import json
from collections.abc import Mapping
from dataclasses import dataclass, field

from latcast.schema.graph import GraphHash

__all__ = ["Availability", "Device", "DeviceEvidence", "Environment", "Target", "TargetId"]

TargetId = str
"""`Target.id`: sixteen hexadecimal digits."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Availability:
    """Whether a backend or a counter can be used on this machine.

    Args:
        ok: whether it can.
        reason: why it cannot, and what would help; empty where it can.
        version: version of the runtime behind it.
        precisions: what a backend can run, for example `("fp32",)`.
    """

    ok: bool
    reason: str = ""
    version: str = ""
    precisions: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True, kw_only=True)
class Device:
    """A machine.

    Args:
        fingerprint: stable across restarts; registering twice with the same one is the same device.
        name: name for people; host name by default.
        machine: instruction set, for example `x86_64`, `aarch64`.
        processor: model name, for example `AMD EPYC 9B14`.
        physical_cores, logical_cores: cores that the scheduler grants.
        memory_bytes: RAM (the container's limit where there is one).
        cache_bytes: size by level, for example `{"L1d": 32768, "L2": 1048576, "L3": 33554432}`.
        features: instruction-set extensions that matter to kernels, for example `("avx2", "avx512f")`.
        system: operating system and kernel.
        details: anything else worth showing (virtualisation, governor, accelerator).
    """

    fingerprint: str
    name: str
    machine: str
    processor: str
    physical_cores: int
    logical_cores: int
    memory_bytes: int
    cache_bytes: Mapping[str, int] = field(default_factory=dict)
    features: tuple[str, ...] = ()
    system: str = ""
    details: Mapping[str, str] = field(default_factory=dict)


@dataclass(frozen=True, slots=True, kw_only=True)
class Target:
    """Device × backend × version × precision × threads × options: what a predictor is adapted to.

    Args:
        device: the device's fingerprint; for an imported table the device's name in it.
        backend: name of the backend; `imported` for a column of a public table.
        backend_version: version of the runtime.
        precision: what the backend does to the model: `fp32`, `bf16`, `int8`, …; `as_given` for a quantised model.
        threads: intra-operator threads.
        options: whatever else changes latency, for example `{"optimisation": "all"}`.
        origin: for imported targets, the file and its licence; empty for measured ones.
    """

    device: str
    backend: str
    backend_version: str = ""
    precision: str = "fp32"
    threads: int = 1
    options: Mapping[str, str] = field(default_factory=dict)
    origin: str = ""

    @property
    def id(self) -> TargetId:
        """Content-derived identifier: equal targets have equal ids on every machine."""
        parts = [self.device, self.backend, self.backend_version, self.precision, self.threads,
                 sorted(self.options.items()), self.origin]  # fmt: skip
        return hashlib.sha256(json.dumps(parts, separators=(",", ":")).encode()).hexdigest()[:16]

    @property
    def label(self) -> str:
        """One line for people, for example `onnxruntime 1.32.0 fp32 1 thread`."""
        options = "".join(f" {key}={value}" for key, value in sorted(self.options.items()))
        plural = "s" if self.threads != 1 else ""
        return f"{self.backend} {self.backend_version} {self.precision} {self.threads} thread{plural}{options}".replace(
            "  ", " "
        )


@dataclass(frozen=True, slots=True, kw_only=True)
class Environment:
    """State of the host at one moment; `None` where the host does not tell.

    Args:
        time_unix_s: wall clock, in s since 1970.
        load_1m: load average over one minute.
        steal_share: share of CPU time that the hypervisor took, since the previous reading of this process, 0–1.
        context_switches: involuntary ones of this process so far.
        frequency_mhz: mean current frequency of the cores, in MHz.
        governor: frequency governor.
        temperature_c: temperature of the hottest sensor, in °C.
        throttled: whether the host reports thermal or power throttling.
        quota_throttled_share: share of the periods of a container's CPU quota, since the previous reading, in which
            the quota stopped its processes, 0–1.
        quota_throttled_s: how long that was, in s, summed over the CPUs on which they had to wait.
        available_memory_bytes: memory that could be had.
        versions: what software took part, for example `{"python": …, "onnxruntime": …, "kernel": …}`.
    """

    time_unix_s: float
    load_1m: float | None = None
    steal_share: float | None = None
    context_switches: int | None = None
    frequency_mhz: float | None = None
    governor: str | None = None
    temperature_c: float | None = None
    throttled: bool | None = None
    quota_throttled_share: float | None = None
    quota_throttled_s: float | None = None
    available_memory_bytes: int | None = None
    versions: Mapping[str, str] = field(default_factory=dict)


@dataclass(frozen=True, slots=True, kw_only=True)
class DeviceEvidence:
    """What is known of a target besides its support set.

    Args:
        counters: hardware descriptor out of performance counters (MAPLE): counts in a ms by event, and by event and
            operator (`cpu-cycles`, `cpu-cycles@Conv`).
        microbench: hardware descriptor out of microbenchmarks; time-valued entries end in `_ms`.
        reference_latency_ms: latencies in ms of reference graphs (HELP).
    """

    counters: Mapping[str, float] | None = None
    microbench: Mapping[str, float] | None = None
    reference_latency_ms: Mapping[GraphHash, float] = field(default_factory=dict)
