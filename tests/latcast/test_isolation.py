"""The SDK beside packages of its user that are named `service`, `predictors` and `profilers`; and what it loads."""

import ast
import json
import subprocess
import sys
from pathlib import Path

import onnx
import pytest

import latcast

OURS = ("service", "predictors", "profilers")
LIGHT = Path(onnx.__file__).parent / "backend/test/data/light/light_squeezenet.onnx"


@pytest.fixture
def project(tmp_path: Path) -> Path:
    """Somebody's project; to import our packages out of it fails."""
    for name in OURS:
        (tmp_path / name).mkdir()
        (tmp_path / name / "__init__.py").write_text("MINE = True\n")
    return tmp_path


def run(folder: Path, *command: str) -> str:
    done = subprocess.run([sys.executable, *command], cwd=folder, capture_output=True, text=True, timeout=120)
    assert done.returncode == 0, done.stderr
    return done.stdout


def test_the_client_works_beside_packages_of_the_same_names(project: Path) -> None:
    (project / "search.py").write_text(
        """
import predictors, profilers, service
from latcast import Client, item
from latcast.errors import UnavailableError
from latcast.schema import Target, to_plain

assert predictors.MINE and profilers.MINE and service.MINE
with Client("http://127.0.0.1:9") as client:
    assert not client.is_ready()
    try:
        client.adapt("t")
    except UnavailableError as error:
        print(type(error).__name__, item(space="s", text="t"), to_plain(Target(device="d", backend="b"))["device"])
"""
    )
    expected = "UnavailableError {'space': 's', 'text': 't'} d\n"
    assert run(project, "search.py") == expected
    assert run(project, "-c", "import search") == expected


def test_the_command_and_its_child_processes_are_not_misled(project: Path) -> None:
    """It measures with a child process, which starts in a folder of its own."""
    latcast = str(Path(sys.executable).parent / "latcast")
    quick = ("--backend", "fake", "--processes", "1", "--max-seconds", "0.02")
    shown = run(project, latcast, "profile", str(LIGHT), *quick, "--json", "-")
    assert json.loads(shown)["summary"]["median_ms"] > 0


@pytest.mark.parametrize(
    ("statement", "absent"),
    [
        (
            "from latcast import AsyncClient, Client, item",
            {*OURS, "numpy", "onnx", "torch", "fastapi", "sqlalchemy", "pydantic"},
        ),
        ("import latcast, latcast.schema, latcast.items", {*OURS, "httpx2"}),
    ],
)
def test_an_import_loads_only_what_it_needs(tmp_path: Path, statement: str, absent: set[str]) -> None:
    code = f"import sys; {statement}; print(*{{name.split('.')[0] for name in sys.modules}})"
    assert not absent & set(run(tmp_path, "-c", code).split())


def test_a_name_that_the_package_does_not_have_is_an_attribute_error() -> None:
    with pytest.raises(AttributeError, match="no attribute 'Server'"):
        latcast.Server  # noqa: B018
    assert set(latcast.__all__) == {"AsyncClient", "Client", "Feasible", "Forecasts", "item"}


@pytest.mark.slow
def test_the_package_is_made_of_the_standard_library_and_httpx2() -> None:
    """What else a call may need is imported inside that call."""
    allowed = {*sys.stdlib_module_names, "latcast", "httpx2"}
    for file in Path(latcast.__file__).parent.rglob("*.py"):
        for statement in ast.parse(file.read_text()).body:
            names = [alias.name for alias in statement.names] if isinstance(statement, ast.Import) else []
            if isinstance(statement, ast.ImportFrom):
                names = [statement.module or ""]
            assert {name.partition(".")[0] for name in names} <= allowed, file
