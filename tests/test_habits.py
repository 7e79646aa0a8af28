"""Files that outsiders read: version and changes, citation, the hook for commits, and paths to docs in the code."""

import re
import subprocess
import tomllib
from pathlib import Path

import yaml

ROOT = Path(__file__).parent.parent


def project_version() -> str:
    return str(tomllib.loads((ROOT / "pyproject.toml").read_text())["project"]["version"])


def test_newest_changes_are_of_the_present_version() -> None:
    headings = re.findall(r"^## (\S+) – ", (ROOT / "CHANGELOG.md").read_text(), flags=re.MULTILINE)
    assert headings[0] == project_version()
    assert len(headings) == len(set(headings))


def test_readme_names_the_wheel_of_the_present_version() -> None:
    assert f"dist/latcast-{project_version()}-py3-none-any.whl" in (ROOT / "README.md").read_text()


def test_citation_has_what_the_format_needs() -> None:
    citation = yaml.safe_load((ROOT / "CITATION.cff").read_text())
    assert {"cff-version", "message", "title", "authors", "license"} <= citation.keys()
    assert citation["license"] == "Apache-2.0"


def test_hook_runs_a_script_of_the_repository() -> None:
    config = yaml.safe_load((ROOT / ".pre-commit-config.yaml").read_text())
    entries = [hook["entry"] for repository in config["repos"] for hook in repository["hooks"]]
    assert entries == ["scripts/check --fix"]


def test_pages_that_the_code_names_exist() -> None:
    command = [
        "git",
        "grep",
        "-h",
        "--only-matching",
        "-E",
        r"docs/[a-z0-9_/-]+\.md",
        "--",
        "*.py",
        "*.toml",
        "scripts",
    ]
    named = set(subprocess.run(command, cwd=ROOT, capture_output=True, text=True, check=True).stdout.split())
    assert named
    assert [name for name in sorted(named) if not (ROOT / name).is_file()] == []
