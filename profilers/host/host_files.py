"""The files under `/proc` and `/sys` that say what a host is, and in what state.

Readers take the folder that stands for `/`, so that captured text of other machines tests it. Where Linux's
files are missing (another operating system), the standard library and psutil answer what they can.
"""

import re
from collections.abc import Iterator
from pathlib import Path

__all__ = ["CPUS", "HOST", "HostFiles", "expand_list", "psutil_memory"]

HOST = Path("/")
CPUS = "sys/devices/system/cpu"


class HostFiles:
    """The files of one host, read as they are asked for; a missing one reads as empty.

    Args:
        root: what stands for `/`.
    """

    def __init__(self, root: Path = HOST) -> None:
        self.root = root

    def text(self, path: str) -> str:
        """The whole file, without the blanks and zero bytes around it."""
        try:
            return (self.root / path).read_text(errors="replace").strip("\0\n ")
        except OSError:
            return ""

    def number(self, path: str) -> int | None:
        """The whole number that is all of a file; None where it is something else."""
        text = self.text(path)
        return int(text) if re.fullmatch(r"-?\d+", text) else None

    def numbers(self, pattern: str) -> list[int]:
        """The numbers of all files that fit a pattern of paths, in the order of their names."""
        paths = sorted(str(path.relative_to(self.root)) for path in self.root.glob(pattern))
        return [value for value in map(self.number, paths) if value is not None]

    def field(self, path: str, key: str) -> str:
        """Value of the first line `key: value` or `key = value` of a file."""
        match = re.search(rf"^{re.escape(key)}\s*[:=]\s*(.*)$", self.text(path), re.MULTILINE)
        return match[1].strip().strip('"') if match else ""

    def kib(self, path: str, key: str) -> int | None:
        """A field in kB as bytes; None where there is no such field."""
        match = re.match(r"(\d+)\s*kB", self.field(path, key))
        return int(match[1]) * 1024 if match else None

    def groups(self, controller: str) -> Iterator[str]:
        """The folders of the control groups that hold us, from our own up to the root (cgroup v2, then v1)."""
        for line in self.text("proc/self/cgroup").splitlines():
            _, controllers, path = (*line.split(":", 2), "", "")[:3]
            if controllers and controller not in controllers.split(","):
                continue
            parts = Path(path.lstrip("/")).parts
            for mount in dict.fromkeys((controllers, controller if controllers else "")):
                base = Path("sys/fs/cgroup", mount)  # version 1: of all its controllers, or linked by one's name
                yield from (str(base.joinpath(*parts[:depth])) for depth in range(len(parts), -1, -1))

    def memory_limit(self) -> tuple[int, str] | None:
        """The narrowest limit of our control groups in bytes, and the group it belongs to."""
        limits = [
            (limit, group)
            for group in self.groups("memory")
            for name in ("memory.max", "memory.limit_in_bytes")
            if (limit := self.number(f"{group}/{name}")) is not None
        ]
        return min(limits, default=None)

    def governor(self) -> str:
        """What chooses the frequency of the first CPU; empty where nothing does."""
        return self.text(f"{CPUS}/cpu0/cpufreq/scaling_governor")


def expand_list(listed: str) -> Iterator[int]:
    """Numbers of a list such as `0-3,8`."""
    for part in filter(None, listed.split(",")):
        first, _, last = part.partition("-")
        yield from range(int(first), int(last or first) + 1)


def psutil_memory() -> tuple[int, int]:
    """(all, available) memory in bytes, where /proc does not tell."""
    import psutil

    memory = psutil.virtual_memory()
    return memory.total, memory.available
