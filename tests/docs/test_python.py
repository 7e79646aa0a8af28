"""Python in README and docs runs, on a service with a device; what is not run resolves at least."""

import ast
from collections.abc import Iterator
from importlib import import_module
from pathlib import Path

import pytest

from service.db.session import create_engine_for, upgrade
from service.settings import Settings
from tests.docs.blocks import ROOT, Block, blocks
from tests.service.helpers import model
from tests.service.serving import serving

ADDRESS = "http://127.0.0.1:8321"
"""Where the pages say that the service is."""


@pytest.fixture(scope="module")
def service(tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    """Address of a service over HTTP, with its own predictors, that one device has registered with."""
    settings = Settings(data_dir=tmp_path_factory.mktemp("service"), log_level="error")
    engine = create_engine_for(settings)
    upgrade(engine)
    engine.dispose()
    with serving(settings) as address:
        yield address


@pytest.fixture
def folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """The working folder of a reader: a model with a dynamic batch, and the repository's data set."""
    (tmp_path / "model.onnx").write_bytes(model(batch="batch"))
    (tmp_path / "benchmarks").symlink_to(ROOT / "benchmarks")
    monkeypatch.chdir(tmp_path)
    return tmp_path


@pytest.mark.slow
@pytest.mark.parametrize("block", [block for block in blocks("python") if not block.reason], ids=str)
def test_code_runs(block: Block, service: str, folder: Path) -> None:
    code = compile(block.text.replace(ADDRESS, service), str(block), "exec")
    exec(code, {"__name__": "__main__"})  # noqa: S102 - our own pages


@pytest.mark.parametrize("block", [block for block in blocks("python") if block.reason], ids=str)
def test_code_that_is_not_run_compiles_and_its_imports_exist(block: Block) -> None:
    assert len(block.reason.split()) > 2, "a reason is a sentence"
    assert missing_imports(block.text) == []


def test_at_least_one_page_shows_the_client_at_work() -> None:
    assert [block for block in blocks("python") if not block.reason and "from latcast import Client" in block.text]


def test_a_name_that_does_not_exist_is_noticed() -> None:
    assert missing_imports("import predictors.nope\nfrom latcast import Client, Nope") == [
        "predictors.nope",
        "latcast.Nope",
    ]


def missing_imports(code: str) -> list[str]:
    """Modules and names that the code imports and that do not exist."""
    missing = []
    for node in ast.walk(ast.parse(code)):
        if isinstance(node, ast.Import):
            missing += [alias.name for alias in node.names if not exists(alias.name)]
        elif isinstance(node, ast.ImportFrom) and node.module:
            missing += [f"{node.module}.{alias.name}" for alias in node.names if not exists(node.module, alias.name)]
    return missing


def exists(module: str, name: str | None = None) -> bool:
    """Whether a module can be imported and has the name."""
    try:
        imported = import_module(module)
    except ModuleNotFoundError:
        return False
    return name is None or hasattr(imported, name)
