"""Captured files of hosts: a server, a Raspberry Pi and a container."""

from collections.abc import Callable
from pathlib import Path

import pytest

HOSTS = Path(__file__).parents[2] / "data/hosts"


@pytest.fixture
def host(tmp_path: Path) -> Callable[[str], Path]:
    return lambda name: unpack(name, tmp_path / name)


def unpack(name: str, root: Path) -> Path:
    """Lay a host's files out: `==> path` lines, each followed by the text; backslash and zero stand for a zero byte."""
    for part in (HOSTS / f"{name}.txt").read_text().split("==> ")[1:]:
        path, _, text = part.partition("\n")
        (root / path).parent.mkdir(parents=True, exist_ok=True)
        (root / path).write_text(text.replace("\\0\n", "\0"))
    return root
