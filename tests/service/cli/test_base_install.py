"""An installation without extras: every command works, or says in a sentence what to install."""

import json
import os
import re
import subprocess
import sys
from pathlib import Path

import pytest
from typer.main import get_command

from service.cli.guard import EXTRAS, missing_extra
from service.cli.main import app

OF_BASE = {"pydantic"}
"""What typer brings along."""
REFUSING = """
import sys
class Refusing:
    def find_spec(self, name, path=None, target=None):
        if name.partition(".")[0] in {modules!r}:
            raise ModuleNotFoundError(f"No module named {{name!r}}", name=name)
sys.meta_path.insert(0, Refusing())
"""
RUN = """
import contextlib, io, json, sys
from service.cli.main import main
said = {}
for line in json.loads(sys.argv[1]):
    sys.argv = ["latcast", *line.split()]
    with contextlib.redirect_stdout(io.StringIO()) as out, contextlib.redirect_stderr(out):
        try:
            main()
        except SystemExit as end:
            code = end.code
    said[line] = [code, out.getvalue()]
print(json.dumps(said))
"""
NOBODY = "--server http://127.0.0.1:1"
TALKS = [f"{line} {NOBODY}" for line in (
    "targets", "devices", "jobs", "audit", "cancel j", "quality", "adapt", "measure x.onnx", "upload x.onnx",
    "predict x.onnx", "explain x.onnx", "check x.onnx --limit-ms 3", "export out.csv --target t", "train --kind flops",
    "predictors list", "fleet hide device d", "measurements list --target t",
)]  # fmt: skip
NEEDS = {
    **dict.fromkeys(("profile x.onnx", "microbench", f"agent {NOBODY}", "campaign --hours 1 --out out"), "agent"),
    **dict.fromkeys(
        (
            "keys list",
            "keys create --scope admin",
            "keys enrol",
            "keys revoke k",
            "keys rotate k",
            "db check",
            "db upgrade",
        ),
        "service",
    ),
    **dict.fromkeys(("db backup out.db", "db restore latcast.db"), "service"),
    **dict.fromkeys(
        (
            "score --in x.csv --out o.parquet --targets a",
            "serve",
            "worker",
            "import .",
            "dataset pack . --out out",
            "dataset stats .",
            "bench serve",
        ),
        "service",
    ),
    **dict.fromkeys(("bench nas --data .", "bench onnx --data ."), "predictors"),
    **dict.fromkeys(("frontier --space fbnet --targets a,b", "friendliness --space fbnet"), "predictors"),
    f"measure --references {NOBODY}": "agent",
}


@pytest.fixture(scope="module")
def said(tmp_path_factory: pytest.TempPathFactory) -> dict[str, tuple[int, str]]:
    """What each command line ends with and says, where only the base install's modules can be imported."""
    folder, work = tmp_path_factory.mktemp("refusing"), tmp_path_factory.mktemp("work")
    refused = {module for modules in EXTRAS.values() for module in modules} | {"openvino", "tract", "starlette"}
    (folder / "sitecustomize.py").write_text(REFUSING.format(modules=refused - OF_BASE))
    (work / "x.onnx").write_bytes(b"")
    kept = {name: value for name, value in os.environ.items() if not name.startswith("LATCAST_")}
    env = {**kept, "PYTHONPATH": os.pathsep.join((str(folder), str(Path(__file__).parents[3])))}
    lines = json.dumps([*TALKS, *NEEDS])
    done = subprocess.run(
        [sys.executable, "-c", RUN, lines], cwd=work, env=env, capture_output=True, text=True, timeout=120
    )
    assert done.returncode == 0, done.stderr
    result: dict[str, tuple[int, str]] = json.loads(done.stdout)
    return result


@pytest.mark.slow
@pytest.mark.parametrize("line", TALKS)
def test_commands_that_ask_the_service_need_no_extra(line: str, said: dict[str, tuple[int, str]]) -> None:
    code, text = said[line]
    assert code == 1
    assert "127.0.0.1:1 cannot be reached" in text
    assert "Traceback" not in text


@pytest.mark.parametrize(("line", "extra"), NEEDS.items())
def test_commands_that_need_an_extra_name_it(line: str, extra: str, said: dict[str, tuple[int, str]]) -> None:
    code, text = said[line]
    assert code == 1
    assert re.search(rf"latcast: This command needs '\w+', .*: pip install 'latcast\[{extra}\]'\.$", text.strip()), text
    assert "Traceback" not in text


def test_every_command_is_tried() -> None:
    commands = set(get_command(app).commands)  # type: ignore[attr-defined]
    assert {line.split()[0] for line in [*TALKS, *NEEDS]} == commands - {"demo"}


def test_a_command_may_need_more_than_the_module_that_it_misses_first() -> None:
    missing = ModuleNotFoundError("No module", name="numpy.typing")
    assert "latcast[agent,service]" in str(missing_extra(missing, ["--debug", "demo", "--samples", "3"]))
    assert "latcast[agent]" in str(missing_extra(missing, ["profile", "x.onnx"]))
    assert "latcast[torch]" in str(missing_extra(ModuleNotFoundError("No module", name="torch"), ["bench", "nas"]))
