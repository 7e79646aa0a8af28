"""Checkpoints for tests: in memory, and in a folder that other processes find."""

from pathlib import Path

__all__ = ["Kept", "KeptInFolder"]


class Kept(dict[str, bytes]):
    """Checkpoints in memory."""

    def load(self, name: str) -> bytes | None:
        return self.get(name)

    def save(self, name: str, content: bytes) -> None:
        self[name] = content


class KeptInFolder:
    """Checkpoints as files."""

    def __init__(self, folder: Path) -> None:
        self._folder = folder

    def load(self, name: str) -> bytes | None:
        path = self._folder / name
        return path.read_bytes() if path.exists() else None

    def save(self, name: str, content: bytes) -> None:
        (self._folder / name).write_bytes(content)
