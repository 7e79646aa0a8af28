"""Checks the types that the dashboard's modules state, against the libraries' and those of the API's own description.

TypeScript reads the JSDoc of `web/src`; nothing is built. Its tools are fetched by npm into `.venv/node`, at fixed
versions; where there is no npm, or it cannot fetch, that is said and nothing is checked.
"""

import json
import shutil
import subprocess
import sys
from pathlib import Path

from api_reference import description
from vendor import VENDOR, read_manifest

ROOT = Path(__file__).resolve().parents[2]
TOOLS = ROOT / ".venv" / "node"
VERSIONS = {"typescript": "5.9.3", "openapi-typescript": "7.13.0"}
INSTALLED, DESCRIPTION, TYPES = TOOLS / "installed.json", TOOLS / "openapi.json", TOOLS / "api.d.ts"


def main() -> int:
    """Check; the checker's exit code, or 0 with a sentence where it cannot be had."""
    npm, node = shutil.which("npm"), shutil.which("node")
    if npm is None or node is None:
        return _unchecked("node and npm are not installed")
    if not _install(npm):
        return _unchecked("npm could not fetch the checker")
    _describe(node)
    return _run(node, "typescript/bin/tsc", "--project", str(ROOT / "web" / "jsconfig.json"))


def _unchecked(why: str) -> int:
    print(f"The types of web/ are not checked: {why}.", file=sys.stderr)
    return 0


def _install(npm: str) -> bool:
    """Fetch the tools and the types of the vendored libraries, unless they are there."""
    packages = VERSIONS | {name: entry["version"] for name, entry in read_manifest(VENDOR).items()}
    wanted = json.dumps(packages, sort_keys=True)
    if INSTALLED.exists() and INSTALLED.read_text() == wanted:
        return True
    TOOLS.mkdir(parents=True, exist_ok=True)
    names = [f"{name}@{version}" for name, version in packages.items()]
    command = [npm, "install", "--prefix", str(TOOLS), "--ignore-scripts", "--no-audit", "--no-fund", "--silent"]
    if subprocess.run([*command, *names], check=False, stdout=subprocess.DEVNULL).returncode:
        return False
    INSTALLED.write_text(wanted)
    return True


def _describe(node: str) -> None:
    """Write the types of the API, unless they are those of its description as it is."""
    described = json.dumps(description(), sort_keys=True)
    if TYPES.exists() and DESCRIPTION.exists() and DESCRIPTION.read_text() == described:
        return
    DESCRIPTION.write_text(described)
    if _run(node, "openapi-typescript/bin/cli.js", str(DESCRIPTION), "--output", str(TYPES), quiet=True):
        TYPES.unlink(missing_ok=True)
        raise SystemExit("The types of the API could not be written; see openapi-typescript.")


def _run(node: str, script: str, *arguments: str, quiet: bool = False) -> int:
    command = [node, str(TOOLS / "node_modules" / script), *arguments]
    return subprocess.run(command, check=False, stdout=subprocess.DEVNULL if quiet else None).returncode


if __name__ == "__main__":
    sys.exit(main())
