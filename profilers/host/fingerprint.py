"""Which machine this is: its own identifier beside the hardware that latencies depend on.

An image that is started on another host keeps its identifiers, so the hardware is part of the fingerprint; hosts of one
kind have the same hardware, so the identifiers are. What moves while a machine stays the same is not part of it:
frequencies, microcode, kernel, memory, host name, and the limits of a container.
"""

import hashlib
import json
import os
import platform
import re
from pathlib import Path

from latcast.schema import Device
from profilers.host.arm_parts import arm_processor
from profilers.host.host_files import CPUS, HOST, HostFiles, expand_list

__all__ = ["DEVICE_ID_VARIABLE", "Identity", "former_fingerprint", "same_hardware"]

DEVICE_ID_VARIABLE = "LATCAST_DEVICE_ID"
"""Environment variable with a name that tells machines apart which were made from one image."""
GIB = 2**30
SCHEME = "latcast device 2"
CPU_FIELDS = ("vendor_id", "cpu family", "model", "model name", "stepping", "CPU implementer", "CPU architecture",
              "CPU variant", "CPU part", "CPU revision", "isa", "uarch")  # fmt: skip
FEATURES = ("sse4_2", "avx", "f16c", "fma", "avx2", "avx512f", "avx512bw", "avx512vl", "avx512_vnni", "neon", "asimd",
            "fphp", "asimdhp", "asimddp", "sve")  # fmt: skip
"""Extensions that every kernel since 4.18 names, so that a newer kernel makes no other machine of this one."""
MACHINE_IDS = ("etc/machine-id", "var/lib/dbus/machine-id", "proc/device-tree/serial-number",
               "sys/class/dmi/id/product_uuid")  # fmt: skip
UNSET = "uninitialized"
"""What `/etc/machine-id` holds until an image's first start is over."""
FURTHER_IDS = ("proc/device-tree/serial-number", "var/lib/cloud/data/instance-id")
"""What tells boards, and instances of a cloud, of one image apart; every user may read it."""


class Identity(HostFiles):
    """What makes a host the one it is.

    Args:
        root: what stands for `/`.
        device_id: stands for the host's own identifiers; what `LATCAST_DEVICE_ID` holds, if anything, where left out.
    """

    def __init__(self, root: Path = HOST, *, device_id: str | None = None) -> None:
        super().__init__(root)
        self._device_id = device_id or os.environ.get(DEVICE_ID_VARIABLE, "")

    def fingerprint(self) -> str:
        """Another one for each machine, the same one whatever moves on it: 32 hexadecimal digits."""
        named = [self._device_id] if self._device_id else [self.machine_id(), *map(self.text, FURTHER_IDS)]
        parts = [SCHEME, named, self.machine(), self.processor(), self._cpus(), self._features(), self.cache_bytes(),
                 self._cores()]  # fmt: skip
        return hashlib.sha256(json.dumps(parts, sort_keys=True).encode()).hexdigest()[:32]

    def machine_id(self) -> str:
        """The first of the host's own identifiers that can be read, or its name."""
        found = (text for text in map(self.text, MACHINE_IDS) if text not in ("", UNSET))
        return next(found, f"{self.text('proc/sys/kernel/hostname')}:{platform.node()}")

    def machine(self) -> str:
        """The instruction set."""
        return self.text("proc/sys/kernel/arch") or platform.machine()

    def processor(self) -> str:
        """The processor's model, and the board's where there is one."""
        board = self.text("proc/device-tree/model")
        name = self.field("proc/cpuinfo", "model name") or arm_processor(
            self.field("proc/cpuinfo", "CPU implementer"), self.field("proc/cpuinfo", "CPU part")
        )
        return " · ".join(filter(None, (name, board))) or platform.processor() or "unknown processor"

    def flags(self) -> frozenset[str]:
        """The instruction set's extensions, as the kernel names them."""
        return frozenset((self.field("proc/cpuinfo", "flags") or self.field("proc/cpuinfo", "Features")).split())

    def cache_bytes(self) -> dict[str, int]:
        """Sizes of the first CPU's caches by level."""
        sizes: dict[str, int] = {}
        for path in sorted((self.root / CPUS / "cpu0/cache").glob("index*")):
            place = str(path.relative_to(self.root))
            size = re.fullmatch(r"(\d+)([KM])", self.text(f"{place}/size"))
            letter = {"Data": "d", "Instruction": "i"}.get(self.text(f"{place}/type"), "")
            if size:
                sizes[f"L{self.text(f'{place}/level')}{letter}"] = int(size[1]) * (1024 if size[2] == "K" else 2**20)
        return sizes

    def _cpus(self) -> list[list[str]]:
        """The kinds of CPUs: family, model, stepping and the like of each."""
        blocks = self.text("proc/cpuinfo").split("\n\n")
        fields = (dict(_pair(line) for line in block.splitlines()) for block in blocks)
        kinds = {tuple(cpu.get(name, "") for name in CPU_FIELDS) for cpu in fields if "processor" in cpu}
        return sorted(map(list, kinds))

    def _features(self) -> list[str]:
        return [name for name in FEATURES if name in self.flags()]

    def _cores(self) -> int:
        """The host's CPUs, also those that are switched off or that a container must not use."""
        present = len(list(expand_list(self.text(f"{CPUS}/present"))))
        return present or len(re.findall(r"^processor\s*:", self.text("proc/cpuinfo"), re.MULTILINE))


def _pair(line: str) -> tuple[str, str]:
    name, _, value = line.partition(":")
    return name.strip(), value.strip()


def former_fingerprint(root: Path = HOST) -> str:
    """This machine's fingerprint as version 0.1 computed it, of the machine's id, processor name and memory.

    Args:
        root: what stands for `/`.
    """
    host = Identity(root)
    identity = next((text for text in map(host.text, MACHINE_IDS) if text), "")
    identity = identity or f"{host.text('proc/sys/kernel/hostname')}:{platform.node()}"
    memory_gib = round((host.kib("proc/meminfo", "MemTotal") or 0) / GIB)
    parts = (identity, host.machine(), host.processor(), str(memory_gib))
    return hashlib.sha256("\n".join(parts).encode()).hexdigest()[:32]


def same_hardware(one: Device, other: Device) -> bool:
    """Whether two descriptions may be of one machine, whatever its kernel and its container's limits are."""
    return _hardware(one) == _hardware(other)


def _hardware(device: Device) -> tuple[object, ...]:
    features = frozenset(device.features) & frozenset(FEATURES)
    return device.machine, device.processor, features, dict(device.cache_bytes)
