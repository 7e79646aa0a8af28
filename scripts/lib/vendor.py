"""The third-party files of the dashboard: fetched from npm at fixed versions, and compared with their checksums.

`web/vendor/vendor.json` names each package with its version, its licence, the digest of its archive (`integrity`, as
npm has it) and its files with the path in the archive; `checksums` has the SHA-256 of every file.
"""

import base64
import hashlib
import json
import subprocess
import sys
import tarfile
import tempfile
from pathlib import Path
from typing import Any

VENDOR = Path(__file__).resolve().parents[2] / "web" / "vendor"
MANIFEST = "vendor.json"


def read_manifest(folder: Path) -> dict[str, dict[str, Any]]:
    """Packages by name."""
    packages: dict[str, dict[str, Any]] = json.loads((folder / MANIFEST).read_text(encoding="utf-8"))
    return packages


def problems(folder: Path) -> list[str]:
    """What is wrong with the files in a folder, a sentence each; empty where they are as they were fetched."""
    packages = read_manifest(folder)
    expected = {name: digest for entry in packages.values() for name, digest in entry.get("checksums", {}).items()}
    present = {path.name for path in folder.iterdir()} - {MANIFEST}
    declared = {name for entry in packages.values() for name in entry["files"]}
    wrong = [f"{name} is missing" for name in sorted(declared - present)]
    wrong += [f"{name} belongs to no package of {MANIFEST}" for name in sorted(present - declared)]
    for name in sorted(present & declared):
        if expected.get(name) != _sha256((folder / name).read_bytes()):
            wrong.append(f"{name} is not the file that was fetched")
    return wrong


def fetch(folder: Path) -> None:
    """Fetch every package with npm, write its files and note their checksums.

    Raises:
        SystemExit: an archive is not the one whose digest the manifest has.
    """
    packages = read_manifest(folder)
    for name, entry in packages.items():
        with tempfile.TemporaryDirectory() as temporary:
            archive = _archive(f"{name}@{entry['version']}", Path(temporary))
            integrity = "sha512-" + base64.b64encode(hashlib.sha512(archive.read_bytes()).digest()).decode()
            if entry.setdefault("integrity", integrity) != integrity:
                raise SystemExit(f"{name} {entry['version']}: the archive differs from the one in {MANIFEST}.")
            entry["checksums"] = _extract(archive, entry["files"], folder)
    (folder / MANIFEST).write_text(json.dumps(packages, indent=2) + "\n", encoding="utf-8")


def _archive(package: str, folder: Path) -> Path:
    command = ["npm", "pack", package, "--silent", "--pack-destination", str(folder)]
    subprocess.run(command, check=True, stdout=subprocess.DEVNULL)
    return next(folder.glob("*.tgz"))


def _extract(archive: Path, files: dict[str, str], folder: Path) -> dict[str, str]:
    checksums = {}
    with tarfile.open(archive) as packed:
        for name, member in files.items():
            content = packed.extractfile(member)
            if content is None:
                raise SystemExit(f"{member} of {archive.name} is no file.")
            (folder / name).write_bytes(data := content.read())
            checksums[name] = _sha256(data)
    return checksums


def _sha256(content: bytes) -> str:
    return hashlib.sha256(content).hexdigest()


def main(arguments: list[str]) -> int:
    """Fetch, or with `--check` compare; the exit status."""
    if arguments != ["--check"]:
        fetch(VENDOR)
    wrong = problems(VENDOR)
    for sentence in wrong:
        print(f"web/vendor: {sentence}.", file=sys.stderr)
    return 1 if wrong else 0


if __name__ == "__main__":
    raise SystemExit(main(sys.argv[1:]))
