"""The manifest of a benchmark, which lists its models: JSON lines `{"name", "onnx", "feeds", "shapes", "dims"}`.

    {"name": "detector", "onnx": "detector.onnx", "feeds": null, "shapes": {"x": [1, 3, 224, 224]}}

`feeds` (an .npz file of the inputs), `shapes` (of inputs with dynamic dimensions) and `dims` (sizes of the symbols of
such dimensions) may be null or left out. Paths are relative to the manifest. Other members are ignored.
"""

import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from latcast.onnx_files.packed import LOOKED_AT_BYTES, packed_file
from latcast.schema import InputError
from latcast.schema.counting import counted

__all__ = ["FailedModel", "Manifest", "ManifestEntry", "read_manifest"]

_LINE_BYTES = 2**20
_NAME_LENGTH = 200
_QUOTED = 60
_LISTS = (".jsonl", ".ndjson", ".json")
"""Endings of manifests in archives."""


@dataclass(frozen=True, slots=True, kw_only=True)
class ManifestEntry:
    """A model of a manifest.

    Args:
        name: unique name of the model.
        onnx: file of the model.
        feeds: an .npz file with its inputs; None where they are generated.
        shapes: whole shape of each input that has dynamic dimensions, by input name.
        dims: size of each symbol of such dimensions, by symbol.
    """

    name: str
    onnx: Path
    feeds: Path | None = None
    shapes: Mapping[str, tuple[int, ...]] = field(default_factory=dict)
    dims: Mapping[str, int] = field(default_factory=dict)


@dataclass(frozen=True, slots=True, kw_only=True)
class FailedModel:
    """A model that the benchmark continues without.

    Args:
        name: name of the model, or line of the manifest.
        stage: stage that failed: `manifest`, `load`, `feeds`, `measure` or `forecast`.
        message: the reason, as a sentence.
    """

    name: str
    stage: str
    message: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Manifest:
    """The contents of a manifest.

    Args:
        entries: models, in order.
        failed: lines that name no model, with the reasons.
    """

    entries: Sequence[ManifestEntry]
    failed: Sequence[FailedModel]


def read_manifest(path: Path) -> Manifest:
    """The models in a manifest; a malformed line becomes a failure that states its number.

    Raises:
        InputError: the file cannot be read, or no line of it names a model.
    """
    try:
        content = path.read_bytes()
    except OSError as error:
        raise InputError(f"The manifest {str(path)!r} cannot be read: {error.strerror}.") from error
    if (packed := packed_file(path, content[:LOOKED_AT_BYTES], suffixes=_LISTS)) is not None:
        raise InputError(f"The manifest {str(path)!r} {packed.advice}")
    entries: dict[str, ManifestEntry] = {}
    failed = []
    for number, line in enumerate(content.split(b"\n"), start=1):
        if not line.strip():
            continue
        try:
            entry = _entry(line, path.parent)
            if entry.name in entries:
                raise InputError(f"the name {entry.name!r} was there before: give each model a name that no other has")
            entries[entry.name] = entry
        except InputError as error:
            message = f"Line {number} of the manifest is left out: {error}."
            failed.append(FailedModel(name=f"line {number}", stage="manifest", message=message))
    if not entries:
        reason = failed[0].message if failed else "It is empty."
        raise InputError(f"The manifest {str(path)!r} names no model. {reason}")
    return Manifest(entries=list(entries.values()), failed=failed)


def _entry(line: bytes, folder: Path) -> ManifestEntry:
    if len(line) > _LINE_BYTES:
        raise InputError(f"it has {counted(len(line), 'byte')}, but {_LINE_BYTES:,} are enough for any model")
    try:
        value = json.loads(line)
    except (ValueError, RecursionError) as error:
        raise InputError(f"it is no JSON ({str(error)[:_QUOTED]})") from error
    if not isinstance(value, dict):
        raise InputError('it is no JSON object such as {"name": "a", "onnx": "a.onnx"}')
    feeds = value.get("feeds")
    return ManifestEntry(
        name=_name(value.get("name")),
        onnx=_path(value.get("onnx"), "onnx", folder),
        feeds=None if feeds is None else _path(feeds, "feeds", folder),
        shapes=_shapes(value.get("shapes") or {}),
        dims=_dims(value.get("dims") or {}),
    )


def _name(value: Any) -> str:
    if not isinstance(value, str) or not 0 < len(value) <= _NAME_LENGTH or not value.isprintable():
        raise InputError(f"its name is no printable text of 1 to {_NAME_LENGTH} characters but {_quoted(value)}")
    return value


def _path(value: Any, member: str, folder: Path) -> Path:
    if not isinstance(value, str) or not value or "\0" in value:
        raise InputError(f"{member!r} is no path of a file but {_quoted(value)}")
    return folder / value


def _shapes(value: Any) -> dict[str, tuple[int, ...]]:
    if not isinstance(value, dict):
        raise InputError(f"'shapes' is no object of sizes by input name but {_quoted(value)}")
    for name, sizes in value.items():
        if not isinstance(sizes, list) or not all(type(size) is int and size >= 0 for size in sizes):
            raise InputError(f"the shape of {_quoted(name)} is no list of sizes but {_quoted(sizes)}")
    return {name: tuple(sizes) for name, sizes in value.items()}


def _dims(value: Any) -> dict[str, int]:
    if not isinstance(value, dict) or not all(type(size) is int and size >= 0 for size in value.values()):
        raise InputError(f"'dims' is no object of one size by symbol but {_quoted(value)}")
    return dict(value)


def _quoted(value: Any) -> str:
    text = json.dumps(value, ensure_ascii=True)
    return text if len(text) <= _QUOTED else text[:_QUOTED] + "…"
