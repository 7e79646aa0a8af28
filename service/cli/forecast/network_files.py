"""Lists of networks in files: texts a line each, tables of architectures, manifests of models."""

import csv
import json
import sys
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any

import typer

from latcast.schema import InputError
from service.cli.forecast.modules import is_module_name, module_network
from service.cli.forecast.networks import Network, network_of
from service.cli.shapes import Sizes

__all__ = ["cells_of", "column_of", "encoding_of", "networks_of", "read_networks", "read_text"]

MEMBERS = ("text", "graph", "onnx")
ALIASES = {
    "text": ("text", "architecture", "arch", "arch_str", "network", "config"),
    "space": ("space", "search_space", "searchspace"),
    "name": ("name",),
    "onnx": ("onnx",),
    "graph": ("graph",),
}
"""Names of columns that are read, by what they are; the first that is there counts."""
DELIMITERS = ",;\t"


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

    Args:
        names: as `network_of` takes them, or torch modules.
        files: lists, as `read_networks` takes them.
        space: search space of texts.
        graph: names are hashes.
        curve: sizes at which each file is asked about.
        inputs: shapes of the inputs of torch modules.

    Raises:
        InputError: a file cannot be read, or a module cannot be exported.
        typer.BadParameter: nothing is named.
    """
    networks: list[Network] = []
    for name in names:
        if space is None and not graph and is_module_name(name):
            networks.append(module_network(name, inputs))
        else:
            networks += network_of(name, space=space, graph=graph, curve=curve)
    for file in files or []:
        networks += read_networks(file, space=space, graph=graph, curve=curve)
    if not networks:
        raise typer.BadParameter(
            "Name a network: an ONNX file, an architecture's text with --space, or a list with --file."
        )
    return networks


def read_networks(file: str, *, space: str | None, graph: bool, curve: Sequence[Sizes]) -> list[Network]:
    """The networks that a file lists.

    Args:
        file: `.jsonl` is a manifest, an object a line (`.json`: or a list of them): `onnx` (relative to it) with
            `shapes` and `dims`, or `space` and `text`, or `graph`, each with a `name` if it likes; `.csv` and `.tsv`
            have a column `text` (or `arch`, …), `onnx` or `graph` and may have `space` and `name`; anything else, `-`
            for standard input too, is a network a line, as on the command line.
        space: search space of the texts that name none.
        graph: lines are hashes.
        curve: sizes of files that bring none.

    Raises:
        InputError: the file, a model of it or a line cannot be read; names the line.
    """
    text = read_text(file)
    suffix = Path(file).suffix.lower()
    if suffix in (".jsonl", ".ndjson", ".json"):
        return list(_of_objects(_objects(file, text), Path(file), space, curve))
    if suffix in (".csv", ".tsv"):
        return list(_of_objects(_rows(file, text), Path(file), space, curve))
    lines = [line for line in map(str.strip, text.splitlines()) if line and not line.startswith("#")]
    networks = [made for line in lines for made in network_of(line, space=space, graph=graph, curve=curve)]
    return networks or _refuse(file, "names no network")


def read_text(file: str) -> str:
    """The text of a list; `-` is standard input.

    Raises:
        InputError: it cannot be read, or is none.
    """
    try:
        content = sys.stdin.buffer.read() if file == "-" else Path(file).read_bytes()
        return content.decode(encoding_of(content[:2]))
    except OSError as error:
        raise InputError(f"The list {file!r} cannot be read: {error.strerror}.") from error
    except UnicodeDecodeError as error:
        raise InputError(f"The list {file!r} is no text in UTF-8. A model is given without --file.") from error


def encoding_of(beginning: bytes) -> str:
    """The encoding of a text that begins so: UTF-16, as Excel and PowerShell write it, where its mark says so."""
    return "utf-16" if beginning in (b"\xff\xfe", b"\xfe\xff") else "utf-8-sig"


def cells_of(text: str) -> tuple[list[str], str, Iterator[tuple[int, list[str]]]]:
    """The header, the delimiter, and the lines with their cells, of a table that may be of Excel's making."""
    lines = text.splitlines()
    told = lines[0].strip().strip('"') if lines else ""
    skipped = int(told.lower().startswith("sep=") and len(told) == 5)  # what Excel is told by
    delimiter = told[4] if skipped else max(DELIMITERS, key=told.count)
    reader = csv.reader(lines[skipped:], delimiter=delimiter)
    header = [name.strip() for name in next(reader, [])]
    return header, delimiter, ((reader.line_num + skipped, [cell.strip() for cell in cells]) for cells in reader)


def column_of(header: Sequence[str], member: str) -> int | None:
    """Place of the column that is called so, or by one of its other names."""
    plain = [name.strip().lower().replace(" ", "_") for name in header]
    return next((plain.index(alias) for alias in ALIASES[member] if alias in plain), None)


def _objects(file: str, text: str) -> Iterator[tuple[str, Mapping[str, Any]]]:
    """The objects of a manifest, one a line or all in one list."""
    for where, source in _listed_objects(file, text):
        try:
            value = json.loads(source) if isinstance(source, str) else source
        except (ValueError, RecursionError):
            value = None
        if not isinstance(value, dict):
            raise InputError(f'{where} is no JSON object such as {{"onnx": "a.onnx", "dims": {{"batch": 1}}}}.')
        yield where, value


def _listed_objects(file: str, text: str) -> Iterator[tuple[str, Any]]:
    if text.lstrip().startswith("["):
        try:
            yield from ((f"{file} entry {number}", value) for number, value in enumerate(json.loads(text), start=1))
            return
        except (ValueError, RecursionError) as error:
            raise InputError(f"{file} is no JSON: {error}.") from error
    lines = text.splitlines()
    yield from ((f"{file} line {number}", line) for number, line in enumerate(lines, start=1) if line.strip())


def _rows(file: str, text: str) -> Iterator[tuple[str, Mapping[str, Any]]]:
    header, _, lines = cells_of(text)
    columns = {member: column_of(header, member) for member in ALIASES}
    places = {member: place for member, place in columns.items() if place is not None}
    if not places.keys() & set(MEMBERS):
        raise InputError(f"{file} lacks the column 'text'; its columns are: {', '.join(header) or 'none'}.")
    for number, cells in lines:
        row = {member: cells[place] for member, place in places.items() if place < len(cells)}
        if any(row.values()):
            yield f"{file} line {number}", {name: value for name, value in row.items() if value}


def _of_objects(
    objects: Iterator[tuple[str, Mapping[str, Any]]], path: Path, space: str | None, curve: Sequence[Sizes]
) -> Iterator[Network]:
    empty = True
    for where, value in objects:
        empty = False
        yield from _of_object(where, value, path.parent, space, curve)
    if empty:
        _refuse(str(path), "names no network")


def _of_object(
    where: str, value: Mapping[str, Any], folder: Path, space: str | None, curve: Sequence[Sizes]
) -> Iterator[Network]:
    from latcast.items import item
    from latcast.onnx_files import without_weights

    members = [member for member in MEMBERS if isinstance(value.get(member), str)]
    if len(members) != 1:
        raise InputError(f"{where} has to name a network by one of 'onnx', 'text' (with 'space') or 'graph'.")
    (member,) = members
    name = str(value.get("name") or value[member])
    if member == "onnx":
        onnx = without_weights(folder / _at_home(value["onnx"]))
        for sizes in _own_sizes(where, value) or curve:
            made = item(onnx=onnx, shapes=sizes.shapes or None, dims=sizes.dims or None)
            yield Network(name=name, item=made, sizes=sizes)
    elif member == "graph":
        yield Network(name=name, item=item(graph=value["graph"]))
    else:
        named = value.get("space") or space
        if not named:
            raise InputError(f"{where} names no search space: give the member or column 'space', or --space.")
        yield Network(name=name, item=item(space=str(named), text=value["text"]))


def _at_home(path: str) -> Path:
    try:
        return Path(path).expanduser()
    except RuntimeError:  # nobody knows a home of this user
        return Path(path)


def _own_sizes(where: str, value: Mapping[str, Any]) -> list[Sizes]:
    shapes, dims = value.get("shapes") or {}, value.get("dims") or {}
    if not isinstance(shapes, dict) or not all(isinstance(sizes, list) for sizes in shapes.values()):
        raise InputError(f"{where}: 'shapes' has to be an object such as {{\"x\": [1, 3, 224, 224]}}.")
    if not isinstance(dims, dict) or not all(type(size) is int for size in dims.values()):
        raise InputError(f"{where}: 'dims' has to be an object such as {{\"batch\": 1}}.")
    whole = {name: tuple(sizes) for name, sizes in shapes.items()}
    return [Sizes(shapes=whole, dims=dims)] if whole or dims else []


def _refuse(file: str, what: str) -> Any:
    raise InputError(f"The list {file!r} {what}.")
