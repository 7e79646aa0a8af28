"""Files that are packed: they are not unpacked here, but whoever gives one is told the command that does it."""

import shlex
import zlib
from collections.abc import Sequence
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path

__all__ = ["LOOKED_AT_BYTES", "Packed", "packed_file"]

LOOKED_AT_BYTES = 512
"""Bytes of a file's beginning that tell how it is packed: a block of tar."""

_LISTED = 5
"""Members of an archive that a sentence names."""
_STREAMS = (
    (b"\x1f\x8b\x08", "gzip", ".gz", "gunzip"),
    (b"BZh", "bzip2", ".bz2", "bunzip2"),
    (b"\xfd7zXZ\x00", "xz", ".xz", "unxz"),
    (b"\x28\xb5\x2f\xfd", "zstd", ".zst", "unzstd"),
)
"""How a packed stream begins, what packed it, the ending of its name, and what unpacks it."""
_SEVEN_ZIP, _ZIP = b"7z\xbc\xaf\x27\x1c", b"PK\3\4"
_TAR, _TAR_AT = b"ustar", 257
_TAR_ENDINGS = (".tar", ".tgz", ".tbz2", ".txz")


@dataclass(frozen=True, slots=True)
class Packed:
    """A file that has to be unpacked first.

    Args:
        what: what is said of it.
        command: unpacks it in a shell, and leaves it where it is.
        results: what to give then; empty where that is not known.
    """

    what: str
    command: str
    results: Sequence[str] = ()

    @property
    def advice(self) -> str:
        """A sentence that names the kind of archive, with the command that unpacks it."""
        named = [repr(name) for name in self.results[:_LISTED]]
        if len(self.results) > _LISTED:
            named.append(f"another one of {len(self.results):,}")
        return f"{self.what}: run `{self.command}`, and give {' or '.join(named) or 'what comes out'}."


def packed_file(path: Path, start: bytes, *, suffixes: tuple[str, ...] = (".onnx",)) -> Packed | None:
    """How a file is packed; None where it is not, or is a ZIP archive that holds nothing that is looked for.

    Args:
        path: of the file, as it was named.
        start: its first `LOOKED_AT_BYTES`.
        suffixes: endings of the names that are looked for in archives.
    """
    if start.startswith(_ZIP):
        return _zip(path, suffixes)
    if start.startswith(_SEVEN_ZIP):
        return Packed("is an archive of 7-Zip", f"7z x -o{_quoted(_folder(path))} {_quoted(path)}")
    if start.startswith(_TAR, _TAR_AT):
        return _tar(path)
    for magic, what, ending, command in _STREAMS:
        if start.startswith(magic):
            return _tar(path) if _holds_tar(path, start) else _stream(path, what, ending, command)
    return None


def _stream(path: Path, what: str, ending: str, command: str) -> Packed:
    said = f"is packed with {what}"
    if path.suffix.lower() == ending:
        return Packed(said, f"{command} -k {_quoted(path)}", [str(path.with_suffix(""))])
    out = path.with_name(f"{path.stem}-unpacked{path.suffix}")  # these programs want their ending
    return Packed(said, f"{command} -c < {_quoted(path)} > {_quoted(out)}", [str(out)])


def _tar(path: Path) -> Packed:
    return Packed("is an archive of tar", f"tar -xf {_quoted(path)} -C {_quoted(path.parent)}")


def _zip(path: Path, suffixes: tuple[str, ...]) -> Packed | None:
    from zipfile import BadZipFile, ZipFile  # costs as much as the rest of this package

    names: list[str] = []
    with suppress(BadZipFile, OSError, ValueError, NotImplementedError), ZipFile(path) as archive:
        names = sorted(name for name in archive.namelist() if name.lower().endswith(suffixes))
    if not names:
        return None
    folder = _folder(path)
    command = f"python3 -m zipfile -e {_quoted(path)} {_quoted(folder)}"
    return Packed("is a ZIP archive", command, [str(folder / name) for name in names])


def _holds_tar(path: Path, start: bytes) -> bool:
    """Whether what is packed is an archive of tar: by the name, or, of gzip, by what comes out first."""
    if path.name.lower().endswith(_TAR_ENDINGS) or path.stem.lower().endswith(_TAR_ENDINGS):
        return True
    with suppress(zlib.error):
        return zlib.decompressobj(31).decompress(start, LOOKED_AT_BYTES).startswith(_TAR, _TAR_AT)
    return False


def _folder(path: Path) -> Path:
    """Where an archive's files go: a folder of its name."""
    return path.with_suffix("") if path.suffix else path.with_name(f"{path.name}-unpacked")


def _quoted(path: Path) -> str:
    text = str(path)
    return shlex.quote(f"./{text}" if text.startswith("-") else text)
