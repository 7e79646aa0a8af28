"""The Dockerfile and docker-compose.yml, as far as they can be checked without an engine."""

import re
import shutil
import subprocess
import sys
import tomllib
from pathlib import Path
from typing import Any

import pytest
import yaml

ROOT = Path(__file__).parent.parent


@pytest.fixture(scope="module")
def compose() -> dict[str, Any]:
    loaded: dict[str, Any] = yaml.safe_load((ROOT / "docker-compose.yml").read_text())
    return loaded


def test_dockerfile_lints() -> None:
    linter = shutil.which("hadolint", path=str(Path(sys.executable).parent)) or shutil.which("hadolint")
    if linter is None:
        pytest.skip("hadolint has no wheel for this platform")
    done = subprocess.run([linter, str(ROOT / "Dockerfile")], capture_output=True, text=True)
    assert done.returncode == 0, done.stdout + done.stderr


def test_dockerfile_copies_only_what_there_is() -> None:
    for line in (ROOT / "Dockerfile").read_text().splitlines():
        if line.startswith("COPY ") and "--from" not in line:
            for source in line.split()[1:-1]:
                assert (ROOT / source).exists(), line


def test_image_runs_without_root_and_checks_its_health() -> None:
    text = (ROOT / "Dockerfile").read_text()
    assert re.search(r"^USER 10001$", text, re.MULTILINE)
    assert "HEALTHCHECK" in text
    assert "ORT_DISABLE_TELEMETRY=1" in text


def test_compose_services_refer_to_each_other(compose: dict[str, Any]) -> None:
    services = compose["services"]
    assert set(services) == {"api", "postgres", "agent"}
    for service in services.values():
        for needed, how in service.get("depends_on", {}).items():
            assert needed in services
            assert how["condition"] == "service_healthy"
        for mount in service.get("volumes", []):
            assert mount.split(":")[0] in compose["volumes"]


def test_compose_variables_are_documented() -> None:
    text = (ROOT / "docker-compose.yml").read_text()
    body = "\n".join(line for line in text.splitlines() if not line.lstrip().startswith("#"))
    required = set(re.findall(r"\$\{(\w+):\?", body))
    assert required <= set(re.findall(r"^(\w+)=", (ROOT / ".env.example").read_text(), re.MULTILINE))


def test_compose_commands_and_settings_exist(compose: dict[str, Any]) -> None:
    from typer.main import get_command

    from service.cli.main import app
    from service.settings import Settings

    commands = get_command(app).commands  # type: ignore[attr-defined]
    _, name, *arguments = compose["services"]["agent"]["command"]
    known = {option for parameter in commands[name].params for option in parameter.opts}
    assert {word for word in arguments if word.startswith("--")} <= known
    fields = {f"LATCAST_{field.upper()}" for field in Settings.model_fields}
    assert set(compose["services"]["api"]["environment"]) <= fields


def test_image_is_built_out_of_every_package() -> None:
    text = (ROOT / "Dockerfile").read_text()
    for package in ("latcast", "profilers", "predictors", "service", "migrations"):
        assert re.search(rf"^COPY {package} {package}$", text, re.MULTILINE), package


def test_base_images_can_be_pinned(compose: dict[str, Any]) -> None:
    lines = (ROOT / "Dockerfile").read_text().splitlines()
    assert [line.split()[1] for line in lines if line.startswith("FROM ")] == ["${PYTHON_IMAGE}"] * 2
    default = next(line for line in lines if line.startswith("ARG PYTHON_IMAGE=")).partition("=")[2]
    services = compose["services"]
    assert services["api"]["build"]["args"] == {"PYTHON_IMAGE": f"${{PYTHON_IMAGE:-{default}}}"}
    assert services["postgres"]["image"].startswith("${POSTGRES_IMAGE:-postgres:")
    named = set(re.findall(r"^# (\w+)=", (ROOT / ".env.example").read_text(), re.MULTILINE))
    assert named == {"PYTHON_IMAGE", "POSTGRES_IMAGE"}


def test_only_packages_of_known_content_get_into_the_image() -> None:
    text = (ROOT / "Dockerfile").read_text().replace("\\\n", " ")
    hashed, own = (line.partition("pip install")[2] for line in text.splitlines() if "pip install" in line)
    assert "--require-hashes --requirement image-requirements.txt" in hashed
    assert {"--no-index", "--no-deps", "--no-build-isolation", "."} <= set(own.split())


def test_hashes_are_those_of_the_versions_that_were_tested() -> None:
    tested = dict(PIN.findall((ROOT / "constraints.txt").read_text()))
    text = (ROOT / "image-requirements.txt").read_text().replace("\\\n", " ")
    lines = [line for line in text.splitlines() if line and not line.startswith("#")]
    assert all(re.search(r" --hash=sha256:[0-9a-f]{64}\b", line) for line in lines)
    versions = dict(match.groups() for match in map(PIN.match, lines) if match)
    assert len(versions) == len(lines)
    assert {name: tested.get(name, version) for name, version in versions.items()} == versions
    assert needed("agent", "service", "postgres") - versions.keys() == set()


PIN = re.compile(r"^([\w.-]+)==([^\s;]+)", re.MULTILINE)


def needed(*extras: str) -> set[str]:
    """Names of the packages that these extras ask for, and what builds the package itself."""
    project = tomllib.loads((ROOT / "pyproject.toml").read_text())
    optional = project["project"]["optional-dependencies"]
    asked = [*project["project"]["dependencies"], *project["build-system"]["requires"]]
    for extra in extras:
        asked += optional[extra]
    names = {re.split(r"[\[<>=; ]", name)[0] for name in asked} - {"latcast"}
    inner = {extra for name in asked for extra in re.findall(r"latcast\[(.*)\]", name)}
    return names | (needed(*inner) if inner else set())


def test_the_health_check_goes_through_no_proxy() -> None:
    check = next(line for line in (ROOT / "Dockerfile").read_text().splitlines() if "healthz" in line)
    assert "ProxyHandler({})" in check
