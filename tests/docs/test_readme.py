"""The README's blocks run as they are pasted: in order, in an empty home, without a terminal."""

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
TIMEOUT_S = 900


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
    parts = ["set -e -o pipefail"]
    for block in blocks_of(ROOT / "README.md"):
        if start < block.line <= end and not block.reason:
            text = block.text.replace("8321", str(port)).replace("--samples 10", "--samples 3")
            parts.append(text if block.language == "sh" else f"python - <<'END'\n{text}END\n")
    return "\n".join(parts)


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
    }  # fmt: skip
    outputs = tmp_path / "stdout", tmp_path / "stderr"
    with outputs[0].open("wb") as out, outputs[1].open("wb") as err:
        pasted = subprocess.Popen(
            ["bash", "-c", script(port)], cwd=work, env=environment, stdin=subprocess.DEVNULL, start_new_session=True,
            stdout=out, stderr=err,
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
    assert not {"model.onnx", "latcast-data"} & {path.name for path in ROOT.iterdir()}, "the project may be read-only"
