"""Builds the distributions and checks them: metadata, contents, and that the sdist gives the same wheel as the sources.

What is built is what git has or would add, copied to a folder of its own: a build leaves nothing in the checkout, and
what git ignores gets into no distribution.
"""

import hashlib
import subprocess
import sys
import tarfile
import tempfile
import tomllib
import zipfile
from dataclasses import dataclass
from pathlib import Path

from packaging.metadata import Metadata

ROOT = Path(__file__).resolve().parents[2]
PACKAGES = ("latcast", "service", "predictors", "profilers")
DATA_SUFFIXES = frozenset({".py", ".typed", ".safetensors", ".json", ".md", ".html", ".css", ".js"})
"""Kinds of files that a package may consist of."""
LEFT_OUT = ("tests/", "docs/", "benchmarks/", "examples/")
"""Folders that no distribution needs."""
NEEDED_TO_BUILD = ("pyproject.toml", "setup.py", "README.md", "LICENSE", "NOTICE", "CHANGELOG.md", "migrations/env.py",
                   "web/index.html")  # fmt: skip


class ReleaseError(Exception):
    """A distribution is not as it should be; the message says how."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Distributions:
    """What a release consists of."""

    sdist: Path
    wheel: Path


def build(out: Path) -> Distributions:
    """Build both into the folder: the sdist out of the sources, the wheel out of the sdist.

    Raises:
        ReleaseError: the build failed; the message is what it printed.
    """
    with tempfile.TemporaryDirectory() as folder:
        sources = copy_sources(Path(folder))
        run_build(sources, out)
    (sdist,), (wheel,) = out.glob("*.tar.gz"), out.glob("*.whl")
    return Distributions(sdist=sdist, wheel=wheel)


def build_wheel(out: Path) -> Path:
    """Build the wheel alone, straight out of the sources."""
    with tempfile.TemporaryDirectory() as folder:
        run_build(copy_sources(Path(folder)), out, "--wheel")
    (wheel,) = out.glob("*.whl")
    return wheel


def run_build(sources: Path, out: Path, *options: str) -> None:
    """Run the build front end on a folder of sources."""
    command = [sys.executable, "-m", "build", *options, "--outdir", str(out), str(sources)]
    done = subprocess.run(command, check=False, capture_output=True, text=True)
    if done.returncode:
        raise ReleaseError(done.stdout + done.stderr)


def copy_sources(folder: Path) -> Path:
    """Copy what git has or would add, and a distribution needs."""
    command = ["git", "ls-files", "-z", "--cached", "--others", "--exclude-standard"]
    listed = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, check=True).stdout
    for name in filter(None, listed.split("\0")):
        if (ROOT / name).is_file() and not name.startswith(LEFT_OUT):
            (folder / name).parent.mkdir(parents=True, exist_ok=True)
            (folder / name).write_bytes((ROOT / name).read_bytes())
    return folder


def check(built: Distributions) -> None:
    """Check metadata and contents of both distributions.

    Raises:
        ReleaseError: something is missing, too much, or differs.
    """
    check_metadata(built.wheel)
    check_contents(built.wheel)
    check_sdist(built.sdist)
    with tempfile.TemporaryDirectory() as folder:
        check_same(built.wheel, build_wheel(Path(folder)))


def check_metadata(wheel: Path) -> None:
    """Check that a wheel's metadata are valid and say what the project says of itself."""
    with zipfile.ZipFile(wheel) as archive:
        (name,) = [name for name in archive.namelist() if name.endswith(".dist-info/METADATA")]
        metadata = Metadata.from_email(archive.read(name), validate=True)
    project = tomllib.loads((ROOT / "pyproject.toml").read_text())["project"]
    expect("the version", str(metadata.version), project["version"])
    expect("the extras", set(metadata.provides_extra or ()), set(project["optional-dependencies"]))
    expect("the description", metadata.description, (ROOT / "README.md").read_text())
    if f"## {project['version']} " not in (ROOT / "CHANGELOG.md").read_text():
        raise ReleaseError(f"CHANGELOG.md has no section for {project['version']}.")


def check_contents(wheel: Path) -> None:
    """Check that a wheel has every module and data file, migrations, dashboard and licences, and nothing else."""
    names = zipfile.ZipFile(wheel).namelist()
    expect("the wheel's files", {name for name in names if ".dist-info/" not in name}, expected_files())
    inside = {name.split(".dist-info/")[1] for name in names if ".dist-info/" in name}
    missing = {"licenses/LICENSE", "licenses/NOTICE", "entry_points.txt"} - inside
    if missing:
        raise ReleaseError(f"The wheel lacks {', '.join(sorted(missing))}.")


def expected_files() -> set[str]:
    """What belongs into a wheel: the packages' files, and migrations and dashboard inside the service."""
    packages = {
        str(path.relative_to(ROOT))
        for package in PACKAGES
        for path in (ROOT / package).rglob("*")
        if path.is_file() and path.suffix in DATA_SUFFIXES
    }
    folders = {
        f"service/_{folder}/{path.relative_to(ROOT / folder)}"
        for folder in ("migrations", "web")
        for path in (ROOT / folder).rglob("*")
        if path.is_file() and "__pycache__" not in path.parts
    }
    return packages | folders


def check_sdist(sdist: Path) -> None:
    """Check that an sdist has what it takes to build, and no tests."""
    with tarfile.open(sdist) as archive:
        names = {name.partition("/")[2] for name in archive.getnames()}
    missing = [name for name in NEEDED_TO_BUILD if name not in names]
    if missing:
        raise ReleaseError(f"The sdist lacks {', '.join(missing)}.")
    unwanted = sorted(name for name in names if name.startswith(LEFT_OUT))
    if unwanted:
        raise ReleaseError(f"The sdist has what it does not need: {', '.join(unwanted)}.")


def check_same(wheel: Path, other: Path) -> None:
    """Check that two wheels have the same files, byte for byte."""
    expect("the wheel of the sdist", digests(wheel), digests(other))


def digests(wheel: Path) -> set[tuple[str, str]]:
    """Names and SHA-256 of a wheel's files."""
    with zipfile.ZipFile(wheel) as archive:
        return {(name, hashlib.sha256(archive.read(name)).hexdigest()) for name in archive.namelist()}


def expect(what: str, actual: object, expected: object) -> None:
    """Compare what a distribution says with what it should.

    Raises:
        ReleaseError: they differ; of sets the message says in what.
    """
    if actual == expected:
        return
    if isinstance(actual, set) and isinstance(expected, set):
        raise ReleaseError(f"Of {what}, missing: {sorted(expected - actual)}; too much: {sorted(actual - expected)}.")
    raise ReleaseError(f"Of {what}: {actual!r}, not {expected!r}.")


def main() -> int:
    """Build into `dist/`, check, and say what there is."""
    out = ROOT / "dist"
    for old in [*out.glob("latcast-*.tar.gz"), *out.glob("latcast-*.whl")]:
        old.unlink()
    try:
        built = build(out)
        check(built)
    except ReleaseError as error:
        sys.stderr.write(f"{error}\n")
        return 1
    for path in (built.sdist, built.wheel):
        sys.stdout.write(f"{path.relative_to(ROOT)}  {path.stat().st_size / 2**20:.1f} MiB\n")
    return 0


if __name__ == "__main__":
    sys.exit(main())
