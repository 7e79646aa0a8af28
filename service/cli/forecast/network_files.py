"""Lists of networks in files: texts a line each, tables of architectures, manifests of models."""

import csv
import json
import re
import sys
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import typer

from latcast.onnx_files import declared_inputs, without_weights
from latcast.onnx_files.packed import LOOKED_AT_BYTES, packed_file
from latcast.schema import InputError, LatcastError
from service.cli.forecast.modules import is_module_name, module_inputs, module_onnx
from service.cli.forecast.networks import ModelFile, Network, expanded, network_of
from service.cli.shapes import Sizes, refuse_sizes
from service.cli.sizes_of_files import sizes_of_files

__all__ = ["cells_of", "column_of", "encoding_of", "networks_of", "read_networks", "read_text"]

MEMBERS = ("text", "graph", "onnx")
ALIASES = {
    "text": ("text", "architecture", "arch", "arch_str", "network", "config", "op_indices", "op_idx_list"),
    "space": ("space", "search_space", "searchspace"),
    "name": ("name",),
    "onnx": ("onnx",),
    "graph": ("graph",),
}
"""Names of columns that are read, by what they are; the first that is there counts."""
DELIMITERS = ",;\t"
FOREIGN = {
    b"PK\3\4": "a ZIP archive or an Excel workbook: save the sheet as CSV UTF-8, or unpack the archive",
    b"\xd0\xcf\x11\xe0": "an Excel workbook: save the sheet as CSV UTF-8",
    b"PAR1": "a Parquet file: `latcast score` reads one, or save it as CSV",
    b"\x1f\x8b": "packed with gzip: unpack it",
}
"""What is given in place of a list, by how it begins."""
LISTS = (".jsonl", ".ndjson", ".json", ".csv", ".tsv", ".txt")
"""Endings of lists in archives."""
LINE_END = re.compile(r"\r\n|\n|\r")
NO_OBJECT = 'This is no JSON object such as {"onnx": "a.onnx", "dims": {"batch": 1}}.'
"""What is said of a line of a manifest that is none."""


@dataclass(frozen=True, slots=True)
class _Object:
    """An object of a manifest, or a row of a table.

    Args:
        where: file and line, for people.
        members: as they stand there.
        folder: that paths are relative to.
    """

    where: str
    members: Mapping[str, Any]
    folder: Path


def networks_of(
    names: Sequence[str],
    files: Sequence[str] | None,
    *,
    space: str | None,
    graph: bool,
    curve: Sequence[Sizes],
    inputs: Sequence[str] = (),
) -> list[Network]:
    """The networks that a command is given, in order: those of its arguments, then those of lists.

    A file that cannot be read, or a line of a list that names nothing, is a network with a `problem`, unless it is all
    that is given.

    Args:
        names: as `network_of` takes them, or torch modules.
        files: lists, as `read_networks` takes them.
        space: search space of texts.
        graph: names are hashes.
        curve: sizes at which files are asked about, as `sizes_of_files` takes them.
        inputs: shapes of the inputs of torch modules, as `--input` takes them.

    Raises:
        InputError: all that is given cannot be read, or a list cannot; names the line.
        typer.BadParameter: nothing is named, or nothing of what sizes are given for.
    """
    entries = [*names, *(entry for file in files or [] for entry in _entries(file))]
    if not entries:
        raise typer.BadParameter(
            "Name a network: an ONNX file, an architecture's text with --space, or a list with --file."
        )
    listed = _networks(entries, space, graph=graph, inputs=inputs)
    if not any(isinstance(one, ModelFile) or one.problem for one in listed):
        refuse_sizes(curve[0])
    return _bound(listed, curve)


def read_networks(file: str, *, space: str | None, graph: bool, curve: Sequence[Sizes]) -> list[Network]:
    """The networks that a file lists.

    Args:
        file: `.jsonl` is a manifest, an object a line (`.json`: or a list of them): `onnx` (relative to it) with
            `shapes` and `dims`, or `space` and `text`, or `graph`, each with a `name` if it likes; `.csv` and `.tsv`
            have a column `text` (or `arch`, …), `onnx` or `graph` and may have `space` and `name`; anything else, `-`
            for standard input too, is a network a line, as on the command line.
        space: search space of the texts that name none.
        graph: lines are hashes.
        curve: sizes of files that bring none, as `sizes_of_files` takes them.

    Raises:
        InputError: the file, or the only line of it, cannot be read; names the line.
    """
    return _bound(_networks(_entries(file), space, graph=graph, inputs=()), curve)


def _networks(
    entries: Sequence[str | _Object | Network], space: str | None, *, graph: bool, inputs: Sequence[str]
) -> list[Network | ModelFile]:
    """What entries of lists and arguments mean; one that cannot be read spoils no other."""
    if space is None and not graph:
        entries = [one for entry in entries for one in (expanded([entry]) if isinstance(entry, str) else [entry])]
    names = [one for one in entries if isinstance(one, str) and space is None and not graph]
    shapes = module_inputs(names, inputs)
    made = [_meant(one, space, graph=graph, shapes=shapes) for one in entries]
    if len(made) == 1 and isinstance(made[0], Network) and (problem := made[0].problem) is not None:
        raise problem if isinstance(entries[0], str) else InputError(f"{made[0].name}: {problem}") from problem
    return made


def _meant(
    entry: str | _Object | Network, space: str | None, *, graph: bool, shapes: Sequence[tuple[int, ...]]
) -> Network | ModelFile:
    if isinstance(entry, str):
        return _named(entry, space, graph=graph, shapes=shapes)
    return _of_object(entry, space) if isinstance(entry, _Object) else entry


def _named(name: str, space: str | None, *, graph: bool, shapes: Sequence[tuple[int, ...]]) -> Network | ModelFile:
    from latcast.items import item

    try:
        if space is None and not graph and is_module_name(name):
            return Network(name=name, item=item(onnx=module_onnx(name, shapes)))
        return network_of(name, space=space, graph=graph)
    except LatcastError as error:
        return Network(name=name, item={}, problem=error)


def _bound(listed: Sequence[Network | ModelFile], curve: Sequence[Sizes]) -> list[Network]:
    files = [one for one in listed if isinstance(one, ModelFile)]
    open_files = [one for one in files if not one.sizes]
    points = iter(sizes_of_files(curve, [(one.name, declared_inputs(one.onnx)) for one in open_files]))
    networks: list[Network] = []
    for one in listed:
        networks += [one] if isinstance(one, Network) else one.at(one.sizes or next(points))
    return networks


def _entries(file: str) -> list[str | _Object | Network]:
    """The lines or the objects of a list, at least one; a line that is none is a network with a problem.

    Raises:
        InputError: it cannot be read, or names no network.
    """
    text = read_text(file)
    suffix, folder = Path(file).suffix.lower(), Path(file).parent
    entries: list[str | _Object | Network] = []
    if suffix in (".jsonl", ".ndjson", ".json"):
        entries += [
            _Object(where, value, folder) if isinstance(value, dict) else _malformed(where, NO_OBJECT)
            for where, value in _objects(file, text)
        ]
    elif suffix in (".csv", ".tsv"):
        entries += [_Object(where, members, folder) for where, members in _rows(file, text)]
    else:
        entries += [line for line in map(str.strip, _lines(text)) if line and not line.startswith("#")]
    if not entries:
        raise InputError(f"The list {file!r} names no network.")
    return entries


def read_text(file: str) -> str:
    """The text of a list; `-` is standard input.

    Raises:
        InputError: it cannot be read, or is none.
    """
    try:
        content = sys.stdin.buffer.read() if file == "-" else Path(file).read_bytes()
    except OSError as error:
        raise InputError(f"The list {file!r} cannot be read: {error.strerror}.") from error
    if packed := packed_file(Path(file), content[:LOOKED_AT_BYTES], suffixes=LISTS) if file != "-" else None:
        raise InputError(f"The list {file!r} {packed.advice}")
    if kind := next((kind for magic, kind in FOREIGN.items() if content.startswith(magic)), None):
        raise InputError(f"The list {file!r} is {kind}.")
    try:
        text = content.decode(encoding_of(content[:2]))
    except UnicodeDecodeError as error:
        raise InputError(
            f"The list {file!r} is no text in UTF-8: save it as such. A model is given without --file."
        ) from error
    if "\0" in text:
        raise InputError(f"The list {file!r} is no text. A model is given without --file.")
    return text


def encoding_of(beginning: bytes) -> str:
    """The encoding of a text that begins so: UTF-16, as Excel and PowerShell write it, where its mark says so."""
    return "utf-16" if beginning in (b"\xff\xfe", b"\xfe\xff") else "utf-8-sig"


def cells_of(text: str) -> tuple[list[str], str, Iterator[tuple[int, list[str]]]]:
    """The header, the delimiter, and the lines with their cells, of a table that may be of Excel's making."""
    lines = _lines(text)
    told = lines[0].strip().strip('"') if lines else ""
    skipped = int(told.lower().startswith("sep=") and len(told) == 5)  # what Excel is told by
    delimiter = told[4] if skipped else max(DELIMITERS, key=told.count)
    reader = csv.reader(lines[skipped:], delimiter=delimiter)
    header = [name.strip() for name in next(reader, [])]
    return header, delimiter, _numbered(reader, skipped)


def _numbered(reader: Any, skipped: int) -> Iterator[tuple[int, list[str]]]:
    try:
        for cells in reader:
            yield reader.line_num + skipped, [cell.strip() for cell in cells]
    except csv.Error as error:
        raise InputError(
            f"Line {reader.line_num + skipped} of the table cannot be read ({error}): is a quotation mark open?"
        ) from error


def _lines(text: str) -> list[str]:
    """The lines of a text; nothing but the ends that editors write ends one, as names may hold other separators."""
    return LINE_END.split(text)


def column_of(header: Sequence[str], member: str) -> int | None:
    """Place of the column that is called so, or by one of its other names."""
    plain = [name.strip().lower().replace(" ", "_") for name in header]
    return next((plain.index(alias) for alias in ALIASES[member] if alias in plain), None)


def _objects(file: str, text: str) -> Iterator[tuple[str, Any]]:
    """The values of a manifest, one a line or all in one list; None for a line that is no JSON."""
    for where, source in _listed_objects(file, text):
        try:
            value = json.loads(source) if isinstance(source, str) else source
        except (ValueError, RecursionError):
            value = None
        yield where, value


def _listed_objects(file: str, text: str) -> Iterator[tuple[str, Any]]:
    if text.lstrip().startswith("["):
        try:
            yield from ((f"{file} entry {number}", value) for number, value in enumerate(json.loads(text), start=1))
            return
        except (ValueError, RecursionError) as error:
            if Path(file).suffix.lower() == ".json":
                raise InputError(f"{file} is no JSON: {error}.") from error
    lines = [(number, line) for number, line in enumerate(_lines(text), start=1) if line.strip()]
    if len(lines) > 1 and (whole := _only_object(text)) is not None:
        yield f"{file} line {lines[0][0]}", whole
        return
    yield from ((f"{file} line {number}", line) for number, line in lines)


def _only_object(text: str) -> dict[str, Any] | None:
    """The one object that is laid out over several lines; None where each line is an object, or none is."""
    try:
        value = json.loads(text)
    except (ValueError, RecursionError):
        return None
    return value if isinstance(value, dict) else None


def _rows(file: str, text: str) -> Iterator[tuple[str, Mapping[str, Any]]]:
    header, _, lines = cells_of(text)
    columns = {member: column_of(header, member) for member in ALIASES}
    places = {member: place for member, place in columns.items() if place is not None}
    if not places.keys() & set(MEMBERS):
        raise InputError(
            f"{file} lacks the column 'text'; its columns are: {', '.join(header) or 'none'}. Networks are read from a "
            f"column that is called {', '.join(ALIASES['text'])}, onnx or graph."
        )
    for number, cells in lines:
        row = {member: cells[place] for member, place in places.items() if place < len(cells)}
        if any(row.values()):
            yield f"{file} line {number}", {name: value for name, value in row.items() if value}


def _malformed(where: str, problem: str) -> Network:
    """A line of a list that names no network."""
    return Network(name=where, item={}, problem=InputError(problem))


def _of_object(entry: _Object, space: str | None) -> Network | ModelFile:
    from latcast.items import item

    value = entry.members
    members = [member for member in MEMBERS if isinstance(value.get(member), str)]
    if len(members) != 1:
        return _malformed(entry.where, "It has to name a network by one of 'onnx', 'text' (with 'space') or 'graph'.")
    (member,) = members
    name = str(value.get("name") or value[member])
    if member == "onnx":
        return _of_file(entry, name)
    if member == "graph":
        return Network(name=name, item=item(graph=value["graph"]))
    named = value.get("space") or space
    if not named:
        return _malformed(entry.where, "It names no search space: give the member or column 'space', or --space.")
    return Network(name=name, item=item(space=str(named), text=value["text"]))


def _of_file(entry: _Object, name: str) -> Network | ModelFile:
    try:
        sizes = _own_sizes(entry.members)
    except InputError as error:
        return _malformed(entry.where, str(error))
    try:
        onnx = without_weights(entry.folder / _at_home(entry.members["onnx"]))
    except InputError as error:
        return Network(name=name, item={}, problem=error)
    return ModelFile(name=name, onnx=onnx, sizes=sizes)


def _at_home(path: str) -> Path:
    try:
        return Path(path).expanduser()
    except (RuntimeError, ValueError):  # nobody knows a home of this user, or it holds a zero byte
        return Path(path)


def _own_sizes(value: Mapping[str, Any]) -> list[Sizes]:
    """The sizes that a line binds its model to; empty where it names none.

    Raises:
        InputError: they are malformed.
    """
    shapes, dims = value.get("shapes") or {}, value.get("dims") or {}
    if not isinstance(shapes, dict) or not all(isinstance(one, list) and _are_sizes(one) for one in shapes.values()):
        raise InputError("'shapes' has to be an object of whole sizes from 0 up such as {\"x\": [1, 3, 224, 224]}.")
    if not isinstance(dims, dict) or not _are_sizes(dims.values()):
        raise InputError("'dims' has to be an object of whole sizes from 0 up such as {\"batch\": 1}.")
    whole = {name: tuple(sizes) for name, sizes in shapes.items()}
    return [Sizes(shapes=whole, dims=dims)] if whole or dims else []


def _are_sizes(values: Iterable[Any]) -> bool:
    return all(type(size) is int and size >= 0 for size in values)
