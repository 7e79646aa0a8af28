"""Lists of networks in files: texts a line each, tables of architectures, manifests of models."""

import csv
import json
import sys
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any

import typer

from latcast.onnx_files import declared_inputs, without_weights
from latcast.schema import InputError
from service.cli.forecast.modules import is_module_name, module_network
from service.cli.forecast.networks import ModelFile, Network, network_of
from service.cli.shapes import Sizes, refuse_sizes
from service.cli.sizes_of_files import sizes_of_files

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
        curve: sizes at which files are asked about, as `sizes_of_files` takes them.
        inputs: shapes of the inputs of torch modules.

    Raises:
        InputError: the only file, a list, or a file of one cannot be read, or a module cannot be exported.
        typer.BadParameter: nothing is named, or nothing of what sizes are given for.
    """
    if inputs and not any(map(is_module_name, names)):
        raise typer.BadParameter("--input is for torch modules (net.py:Net); an ONNX file's sizes go with --shape.")
    listed: list[Network | ModelFile] = []
    for name in names:
        if space is None and not graph and is_module_name(name):
            listed.append(module_network(name, inputs))
        else:
            listed.append(_named(name, space, graph=graph, alone=len(names) == 1 and not files))
    for file in files or []:
        listed += _listed(file, space=space, graph=graph)
    if not listed:
        raise typer.BadParameter(
            "Name a network: an ONNX file, an architecture's text with --space, or a list with --file."
        )
    if not any(isinstance(one, ModelFile) or one.problem for one in listed):
        refuse_sizes(curve[0])
    return _bound(listed, curve)


def _named(name: str, space: str | None, *, graph: bool, alone: bool) -> Network | ModelFile:
    """What a name means; a file that cannot be read is an error, but spoils no other."""
    try:
        return network_of(name, space=space, graph=graph)
    except InputError as error:
        if alone:
            raise
        return Network(name=name, item={}, problem=error)


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
        InputError: the file, a model of it or a line cannot be read; names the line.
    """
    return _bound(_listed(file, space=space, graph=graph), curve)


def _bound(listed: Sequence[Network | ModelFile], curve: Sequence[Sizes]) -> list[Network]:
    files = [one for one in listed if isinstance(one, ModelFile)]
    open_files = [one for one in files if not one.sizes]
    points = iter(sizes_of_files(curve, [(one.name, declared_inputs(one.onnx)) for one in open_files]))
    networks: list[Network] = []
    for one in listed:
        networks += [one] if isinstance(one, Network) else one.at(one.sizes or next(points))
    return networks


def _listed(file: str, *, space: str | None, graph: bool) -> list[Network | ModelFile]:
    text = read_text(file)
    suffix = Path(file).suffix.lower()
    if suffix in (".jsonl", ".ndjson", ".json"):
        return list(_of_objects(_objects(file, text), Path(file), space))
    if suffix in (".csv", ".tsv"):
        return list(_of_objects(_rows(file, text), Path(file), space))
    lines = [line for line in map(str.strip, text.splitlines()) if line and not line.startswith("#")]
    return [network_of(line, space=space, graph=graph) for line in lines] or _refuse(file, "names no network")


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
        raise InputError(
            f"{file} lacks the column 'text'; its columns are: {', '.join(header) or 'none'}. Networks are read from a "
            f"column that is called {', '.join(ALIASES['text'])}, onnx or graph."
        )
    for number, cells in lines:
        row = {member: cells[place] for member, place in places.items() if place < len(cells)}
        if any(row.values()):
            yield f"{file} line {number}", {name: value for name, value in row.items() if value}


def _of_objects(
    objects: Iterator[tuple[str, Mapping[str, Any]]], path: Path, space: str | None
) -> Iterator[Network | ModelFile]:
    empty = True
    for where, value in objects:
        empty = False
        yield _of_object(where, value, path.parent, space)
    if empty:
        _refuse(str(path), "names no network")


def _of_object(where: str, value: Mapping[str, Any], folder: Path, space: str | None) -> Network | ModelFile:
    from latcast.items import item

    members = [member for member in MEMBERS if isinstance(value.get(member), str)]
    if len(members) != 1:
        raise InputError(f"{where} has to name a network by one of 'onnx', 'text' (with 'space') or 'graph'.")
    (member,) = members
    name = str(value.get("name") or value[member])
    if member == "onnx":
        onnx = without_weights(folder / _at_home(value["onnx"]))
        return ModelFile(name=name, onnx=onnx, sizes=_own_sizes(where, value))
    if member == "graph":
        return Network(name=name, item=item(graph=value["graph"]))
    named = value.get("space") or space
    if not named:
        raise InputError(f"{where} names no search space: give the member or column 'space', or --space.")
    return Network(name=name, item=item(space=str(named), text=value["text"]))


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
