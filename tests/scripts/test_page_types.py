"""The checker of the dashboard's types: what it says where it cannot check, and what it fetches."""

import json
import subprocess
from collections.abc import Callable
from pathlib import Path
from types import ModuleType

import pytest


@pytest.fixture
def types(script: Callable[[str], ModuleType], tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> ModuleType:
    for sibling in ("vendor", "api_reference"):
        script(sibling)
    module = script("page_types")
    for name, file in {"TOOLS": "", "INSTALLED": "installed.json"}.items():
        monkeypatch.setattr(module, name, tmp_path / file)
    return module


def test_a_machine_without_npm_checks_nothing_and_says_so(
    types: ModuleType, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setattr(types.shutil, "which", lambda _name: None)
    assert types.main() == 0
    assert "not checked: node and npm are not installed" in capsys.readouterr().err


@pytest.mark.parametrize(("code", "calls"), [(0, 1), (1, 2)])
def test_tools_are_fetched_once_at_the_vendored_versions(
    types: ModuleType, monkeypatch: pytest.MonkeyPatch, code: int, calls: int
) -> None:
    asked: list[list[str]] = []

    def run(command: list[str], **_options: object) -> subprocess.CompletedProcess[str]:
        asked.append(command)
        return subprocess.CompletedProcess(command, code)

    monkeypatch.setattr(types.subprocess, "run", run)
    assert [types._install("npm") for _ in range(2)] == [code == 0] * 2
    assert len(asked) == calls
    vendored = json.loads((types.VENDOR / "vendor.json").read_text())
    assert f"preact@{vendored['preact']['version']}" in asked[0]
    assert "--ignore-scripts" in asked[0]


def test_every_library_that_pages_import_has_its_types(types: ModuleType) -> None:
    settings = json.loads((types.ROOT / "web" / "jsconfig.json").read_text())["compilerOptions"]
    page = (types.ROOT / "web" / "index.html").read_text()
    imports = json.loads(page.split('<script type="importmap">')[1].split("</script>")[0])["imports"]
    assert imports.keys() <= settings["paths"].keys()
    assert settings["strict"]
    assert settings["checkJs"]
