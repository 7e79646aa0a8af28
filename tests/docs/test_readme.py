"""The README's blocks run as they are pasted: in order, in an empty home, no terminal, and a read-only project."""

import os
import shutil
import signal
import socket
import subprocess
import sys
from pathlib import Path

import pytest

from tests.docs.blocks import ROOT, blocks_of

PARTS = ("numpy", "onnxruntime", "fastapi", "lightgbm", "pyarrow")
PROJECT = ("latcast", "migrations", "predictors", "profilers", "service", "web")
TIMEOUT_S = 900
GUARD = """
if touch "$PYTHONPATH/written" 2>/dev/null; then echo "The project can be written to." >&2; exit 9; fi
python -c 'import os, service; assert service.__file__.startswith(os.environ["PYTHONPATH"])'
"""


def section(title: str) -> tuple[int, int]:
    """Lines of the README between a heading and the next."""
    lines = (ROOT / "README.md").read_text().splitlines()
    start = lines.index(f"## {title}") + 1
    end = next(place for place in range(start, len(lines)) if lines[place].startswith("## "))
    return start, end


def free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])


def script(port: int) -> str:
    """The section's blocks as one script that stops where a command fails."""
    start, end = section("Use it")
    parts = ["set -e -o pipefail", GUARD]
    for block in blocks_of(ROOT / "README.md"):
        if start < block.line <= end and not block.reason:
            text = block.text.replace("8321", str(port)).replace("--samples 10", "--samples 3")
            parts.append(text if block.language == "sh" else f"python - <<'END'\n{text}END\n")
    return "\n".join(parts)


def read_only_project(folder: Path) -> Path:
    """A copy of what runs, in which nobody may write."""
    for name in PROJECT:
        shutil.copytree(ROOT / name, folder / name, ignore=shutil.ignore_patterns("__pycache__"))
    for path in (folder, *folder.rglob("*")):
        path.chmod(path.stat().st_mode & ~0o222)
    return folder


def without_privileges() -> list[str]:
    """What a command begins with so that permissions count for the superuser, too."""
    if os.geteuid() != 0:
        return []
    if shutil.which("setpriv") is None:
        pytest.skip("the superuser writes everywhere, and setpriv is not there")
    return ["setpriv", "--bounding-set=-all", "--inh-caps=-all", "--"]


@pytest.mark.slow
@pytest.mark.skipif(sys.platform != "linux", reason="groups of processes are ended by a signal")
def test_the_readme_can_be_pasted(tmp_path: Path) -> None:
    for part in PARTS:
        pytest.importorskip(part)
    if shutil.which("latcast", path=str(Path(sys.executable).parent)) is None:
        pytest.skip("the command is not installed beside this Python")
    port = free_port()
    home, work = tmp_path / "home", tmp_path / "work"
    home.mkdir()
    work.mkdir()
    environment = {
        "PATH": f"{Path(sys.executable).parent}:/usr/bin:/bin", "HOME": str(home), "LATCAST_PORT": str(port),
        "LATCAST_SERVER": f"http://127.0.0.1:{port}", "COLUMNS": "80",
        "PYTHONPATH": str(read_only_project(tmp_path / "project")),
    }  # fmt: skip
    outputs = tmp_path / "stdout", tmp_path / "stderr"
    with outputs[0].open("wb") as out, outputs[1].open("wb") as err:
        pasted = subprocess.Popen(
            [*without_privileges(), "bash", "-c", script(port)], cwd=work, env=environment, start_new_session=True,
            stdin=subprocess.DEVNULL, stdout=out, stderr=err,
        )  # fmt: skip
        try:
            pasted.wait(TIMEOUT_S)
        finally:
            os.killpg(pasted.pid, signal.SIGKILL)
    said, errors = (path.read_text() for path in outputs)
    assert pasted.returncode == 0, f"{said[-3000:]}\n{errors[-3000:]}"
    for words in ("model.onnx", "Adapted", "n/s", "samples", "pass", "profile", "support set"):
        assert words in said
    assert not set(said) & set("─│╭╰┃━"), "no boxes in a pipe"
    too_wide = [line for line in said.splitlines() if len(line) > 80 and " " in line.strip()]
    assert [line for line in too_wide if not line.lstrip().startswith(("{", "latcast "))] == [], (
        "JSON, and what is copied"
    )
