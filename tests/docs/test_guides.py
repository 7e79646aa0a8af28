"""The guides' blocks of shell run as they are pasted, page by page, on a machine with a service and an agent.

What takes hours there takes seconds here, and the ids that the pages show are those of this service: `SHORTER` and
`Machine.pasted` say what is replaced, nothing else is.
"""

import csv
import json
import os
import random
import re
import shutil
import signal
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path

import httpx2
import numpy as np
import onnx
import pytest
from onnx import TensorProto, helper, numpy_helper

from profilers.search_spaces import get_space
from tests.docs.blocks import ROOT, Block, blocks_of
from tests.docs.test_readme import PARTS, free_port

PAGES = sorted(
    page
    for page in (*(ROOT / "docs" / "guides").glob("*.md"), ROOT / "docs" / "reference" / "api.md")
    if any(block.language == "sh" and not block.reason for block in blocks_of(page))
)
SHORTER = {
    r"--hours \S+": "--hours 0.002", "--shots 10 --seeds 10": "--shots 1 --seeds 1 --seconds 0.1",
    "latcast explain model.onnx --shape": "env -u LATCAST_SERVER latcast explain model.onnx --shape",
    "--samples 10": "--samples 3", "--limit-ms 20": "--limit-ms 100000", "--threads 2": "--threads 1",
}  # fmt: skip
TIMEOUT_S = 600
FREE = ("nor_conv_3x3", "nor_conv_1x1", "avg_pool_3x3", "skip_connect", "none")


@dataclass(frozen=True)
class Machine:
    """A service and an agent, the device `pi`.

    Attributes:
        address: of the service.
        target: id of what the agent offers first.
        environment: of a shell on it.
    """

    address: str
    target: str
    environment: dict[str, str]

    def pasted(self, block: Block) -> str:
        """A block with this machine's ids and address, and with less to do."""
        text = block.text.replace("http://127.0.0.1:8321", self.address)
        text = text.replace("localhost:8321", self.address.removeprefix("http://"))
        text = text.replace("3f0c…", self.target).replace("3f0c", self.target)
        for long, short in SHORTER.items():
            text = re.sub(long, short, text)
        return text


@pytest.fixture(scope="module")
def machine(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Machine]:
    for part in PARTS:
        pytest.importorskip(part)
    if shutil.which("latcast", path=str(Path(sys.executable).parent)) is None:
        pytest.skip("the command is not installed beside this Python")
    folder, port = tmp_path_factory.mktemp("machine"), free_port()
    (folder / "home").mkdir()
    address = f"http://127.0.0.1:{port}"
    environment = {
        "PATH": f"{Path(sys.executable).parent}:/usr/bin:/bin", "HOME": str(folder / "home"), "COLUMNS": "80",
        "PYTHONPATH": str(ROOT), "LATCAST_SERVER": address, "LATCAST_DATA_DIR": str(folder / "data"),
        "ORT_DISABLE_TELEMETRY": "1",
    }  # fmt: skip
    commands = (["serve", "--port", str(port)], ["agent", "--name", "pi", "--microbench", "never"])
    with (folder / "log").open("wb") as log:
        running = [
            subprocess.Popen(["latcast", *words], cwd=folder, env=environment, stdout=log, stderr=log,
                             stdin=subprocess.DEVNULL, start_new_session=True)
            for words in commands
        ]  # fmt: skip
        try:
            target = offered(address, folder / "log")
            published(folder, environment)
            yield Machine(address, target, environment)
        finally:
            for process in running:
                ended(process)


def ended(process: subprocess.Popen[bytes]) -> None:
    """End a process and all that it started."""
    with suppress(ProcessLookupError):  # they have ended
        os.killpg(process.pid, signal.SIGKILL)
    process.wait()


def offered(address: str, log: Path) -> str:
    """The id of the agent's first target, once it is there."""
    for _ in range(600):
        try:
            items = httpx2.get(f"{address}/v1/targets").json()["items"]
        except httpx2.TransportError:
            items = []
        if items:
            return str(items[0]["id"])
        time.sleep(0.2)
    raise AssertionError(log.read_text())


def published(folder: Path, environment: dict[str, str]) -> None:
    """Two phones whose latencies of cells and chains somebody published."""
    chance = random.Random(0)
    with (folder / "published.csv").open("w") as file:
        table = csv.writer(file)
        table.writerow(["target", "space", "text", "ms"])
        for phone in ("pixel3", "eyeriss"):
            for text in {cell(chance) for _ in range(40)}:
                table.writerow([phone, "nasbench201", text, 1 + text.count("3x3~") + 0.3 * text.count("1x1~")])
            for _ in range(200):
                text = chain(chance)
                table.writerow([phone, "fbnet", text, 5 + text.count("e6") + 0.4 * text.count("k5")])
    subprocess.run(["latcast", "import", str(folder / "published.csv")], env=environment, check=True)


def cell(chance: random.Random) -> str:
    """A random text of nasbench201."""
    edges = ["|" + "|".join(f"{chance.choice(FREE)}~{at}" for at in range(node)) + "|" for node in (1, 2, 3)]
    return "+".join(edges)


def chain(chance: random.Random) -> str:
    """A random text of fbnet."""
    return get_space("fbnet").sample(np.random.default_rng(chance.randrange(2**32))).text


@pytest.fixture
def work(tmp_path: Path) -> Path:
    """The folder of a reader: models, lists of them, and the tables that the pages speak of."""
    for name in ("model.onnx", "net.onnx"):
        onnx.save(convolution(8), tmp_path / name)
    manifest = [{"name": f"m{width}", "onnx": f"m{width}.onnx"} for width in (4, 8)]
    for width in (4, 8):
        onnx.save(convolution(width, size=32), tmp_path / f"m{width}.onnx")
    (tmp_path / "models.jsonl").write_text("\n".join(map(json.dumps, manifest)))
    chance = random.Random(1)
    cells = sorted({cell(chance) for _ in range(20)})
    rows = "\n".join(f"ours,nasbench201,{text},{1 + place / 10}" for place, text in enumerate(cells))
    (tmp_path / "latencies.csv").write_text(f"target,space,text,ms\n{rows}\n")
    accuracies = "\n".join(f"{text},{90 + place / 10}" for place, text in enumerate(cells))
    (tmp_path / "accuracies.csv").write_text(f"text,accuracy\n{accuracies}\n")
    (tmp_path / "pixel.csv").write_text(f"arch,latency\n{chain(chance)},0.0125\n")
    (tmp_path / "models.csv").write_text("onnx,ms\nm4.onnx,1.5\nm8.onnx,2.5\n")
    (tmp_path / "times.json").write_text(json.dumps([{"computeMs": 1.4, "latencyMs": 1.5}] * 9))
    (tmp_path / "texts.txt").write_text("\n".join(cells[:3]) + "\n")
    (tmp_path / "benchmarks").symlink_to(ROOT / "benchmarks")  # whoever reads the guides has a checkout
    (tmp_path / "HELP").mkdir()
    (tmp_path / "HELP" / "data").symlink_to(Path(os.environ.get("LATCAST_DATA", ROOT / "data")) / "help")
    return tmp_path


def convolution(channels: int, size: int = 224) -> onnx.ModelProto:
    """A convolution of three channels, with its activation."""
    weights = numpy_helper.from_array(np.ones((channels, 3, 3, 3), np.float32), "w")
    nodes = [helper.make_node("Conv", ["x", "w"], ["c"], pads=[1, 1, 1, 1]), helper.make_node("Relu", ["c"], ["y"])]
    ends = [
        helper.make_tensor_value_info(name, TensorProto.FLOAT, (1, count, size, size))
        for name, count in (("x", 3), ("y", channels))
    ]
    graph = helper.make_graph(nodes, "net", ends[:1], ends[1:], [weights])
    return helper.make_model(graph, opset_imports=[helper.make_opsetid("", 17)], ir_version=8)


@pytest.mark.slow
@pytest.mark.skipif(sys.platform != "linux", reason="groups of processes are ended by a signal")
@pytest.mark.parametrize("page", PAGES, ids=lambda page: page.stem)
def test_a_page_can_be_pasted(page: Path, machine: Machine, work: Path) -> None:
    wanted = [block for block in blocks_of(page) if block.language == "sh" and not block.reason]
    if any("HELP/data" in block.text for block in wanted) and not (work / "HELP" / "data").exists():
        pytest.skip("the published tables are not here: set LATCAST_DATA")
    script = "\n".join(["set -e -o pipefail", *(f"echo '== {block}'\n{machine.pasted(block)}" for block in wanted)])
    with (work / "said").open("w+") as said:
        pasted = subprocess.Popen(
            ["bash", "-c", script], cwd=work, env=machine.environment, start_new_session=True,
            stdin=subprocess.DEVNULL, stdout=said, stderr=said,
        )  # fmt: skip
        try:
            pasted.wait(TIMEOUT_S)
        finally:
            ended(pasted)
        said.seek(0)
        output = said.read()
    assert pasted.returncode == 0, output[-3000:]
    assert not set(output) & set("─│╭╰┃━"), "no boxes in a pipe"


def test_blocks_of_guides_that_are_not_run_say_why() -> None:
    pages = [ROOT / "docs" / "reference" / "api.md", *(ROOT / "docs" / "guides").glob("*.md")]
    reasons = [block.reason for page in pages for block in blocks_of(page) if block.language == "sh" and block.reason]
    assert reasons
    assert [reason for reason in reasons if len(reason.split()) < 3] == []
