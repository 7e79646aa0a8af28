"""Reading the rows of a CSV or Parquet file, whatever its encoding, separator and names of columns."""

import bz2
import codecs
import csv
import gzip
import lzma
import re
import zlib
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from itertools import chain, islice
from pathlib import Path
from typing import IO, Any

from latcast.schema import InputError, UnknownNameError
from latcast.schema.counting import counted
from predictors.data.importers.latency_cells import unit_of_header

__all__ = ["COLUMNS", "MODEL_COLUMNS", "TableFile", "names_models", "open_table", "require_columns"]

COLUMNS = ("target", "space", "text", "ms")
"""The columns that a row about an architecture needs."""
MODEL_COLUMNS = ("target", "onnx", "ms")
"""The columns that a row about an ONNX file needs."""

_SEPARATORS = ",;\t|"
_TOLD_SEPARATOR = re.compile(r'"?sep=(?P<separator>[,;\t|])"?\s*')
"""The first line of tables that Excel is to open rightly."""
_MOST_TITLES = 10
"""Lines above the header that may hold titles."""
_PACKED: Mapping[bytes, Callable[..., IO[Any]]] = {
    b"\x1f\x8b": gzip.open, b"BZh": bz2.open, b"\xfd7zXZ\x00": lzma.open,
}  # fmt: skip
_FOREIGN: Mapping[bytes, str] = {
    b"PK\x03\x04": "is a ZIP archive or an Excel workbook: unpack it, or save the sheet as CSV UTF-8",
    b"\xd0\xcf\x11\xe0": "is an Excel workbook: save the sheet as CSV UTF-8",
    b"SQLite format 3": "is a SQLite database: export the table as CSV",
    b"\x89HDF": "is an HDF5 file: save the table as CSV or Parquet",
}
_PARQUET = b"PAR1"
_MOST_COLUMNS = 200
_MOST_LINE, _MOST_CELL = 2**22, 2**17
"""Characters of a line and of a cell: a packed file of a few kilobytes may hold a line of gigabytes."""
_MOST_CHUNK_BYTES = 2**29
"""Most bytes of one column within a group of a Parquet file's rows, unpacked."""
_ROWS_AT_ONCE = 256
_MARKS = ((codecs.BOM_UTF8, "utf-8-sig"), (codecs.BOM_UTF16_LE, "utf-16"), (codecs.BOM_UTF16_BE, "utf-16"))
_ALIASES: Mapping[str, tuple[str, ...]] = {
    "target": ("target", "device", "hardware", "platform", "device_name"),
    "space": ("space", "search_space", "searchspace"),
    "text": ("text", "architecture", "arch", "arch_str", "network", "config", "op_indices", "op_idx_list"),
    "onnx": ("onnx", "onnx_path", "onnx_file", "model", "model_path", "file", "path"),
    "ms": (
        "ms", "latency", "latency_ms", "time", "time_ms", "runtime", "duration", "median_ms", "mean_ms",
        "median_latency", "latency_median", "p50_latency", "latency_p50", "mean_latency", "latency_mean", "avg_latency",
        "latency_avg", "inference_time", "inference_latency", "median", "p50", "mean", "avg", "average", "lat",
    ),
}  # fmt: skip


@dataclass(frozen=True, slots=True, kw_only=True)
class TableFile:
    """The rows of a file and how they are written.

    Args:
        rows: a mapping for each row, from the names in `COLUMNS` and in `others` to cells.
        unit: unit that the name of the latencies' column states, None where it states none.
        column: name of the latencies' column in the file.
        others: names of the columns that no latency needs.
        rivals: those of them that may hold latencies, too.
        decimal_comma: whether a comma may be a decimal sign, because another character separates the columns.
    """

    rows: Iterator[Mapping[str, Any]]
    unit: str | None
    column: str
    others: tuple[str, ...]
    rivals: tuple[str, ...] = ()
    decimal_comma: bool = False

    @property
    def remarks(self) -> list[str]:
        """A sentence on the column that is read, where others may be meant."""
        if not self.rivals:
            return []
        others = ", ".join(repr(name) for name in self.rivals)
        return [f"The column {self.column!r} is read as the latency, not {others}: --column ms=NAME says otherwise."]


@contextmanager
def open_table(
    path: Path, *, columns: Mapping[str, str], fixed: Mapping[str, str], needed: Sequence[str] = COLUMNS
) -> Iterator[TableFile]:
    """The rows of a table; errors while they are read are InputErrors, too.

    Args:
        path: Parquet, or text with a header in UTF-8 or UTF-16 and columns apart by comma, semicolon, tab or bar; text
            may be packed by gzip, bzip2 or xz, and have lines of titles above the header.
        columns: names that columns have in the file by their names in `needed`, where they are none that are usual.
        fixed: values of columns that the file lacks.
        needed: `COLUMNS` or `MODEL_COLUMNS`.

    Raises:
        InputError: the file cannot be read, or columns are missing.
        ImportError: the file is Parquet and pyarrow is not installed.
    """
    start = _start(path)
    for mark, what in _FOREIGN.items():
        if start.startswith(mark):
            raise InputError(f"{path.name} {what}.")
    is_parquet = start.startswith(_PARQUET) or path.suffix.lower() == ".parquet"
    with (_parquet if is_parquet else _csv)(path, _Wanted(tuple(needed), columns, fixed)) as table:
        yield table


def names_models(path: Path, *, columns: Mapping[str, str]) -> bool:
    """Whether the rows of a table are about ONNX files: it has a column for them and none for architectures.

    Raises:
        InputError, ImportError: as `open_table`.
    """
    if "onnx" in columns or not columns.keys().isdisjoint(("space", "text")):
        return "onnx" in columns
    try:
        with open_table(path, columns={}, fixed={"target": "", "space": "", "ms": ""}, needed=("text",)):
            return False
    except _LacksColumnError:
        pass
    try:
        with open_table(path, columns={}, fixed={"target": "", "ms": ""}, needed=("onnx",)):
            return True
    except _LacksColumnError:
        return False


def require_columns(columns: Mapping[str, str], needed: Sequence[str]) -> None:
    """Refuse names of columns that no row needs.

    Raises:
        UnknownNameError: one is none of `needed`.
    """
    for name in columns:
        if name not in needed:
            raise UnknownNameError("column of a table", name, tuple(needed))


@dataclass(frozen=True, slots=True)
class _Wanted:
    """The arguments of `open_table`."""

    needed: tuple[str, ...]
    columns: Mapping[str, str]
    fixed: Mapping[str, str]


class _LacksColumnError(InputError):
    """A column that is needed is missing."""


@contextmanager
def _csv(path: Path, wanted: _Wanted) -> Iterator[TableFile]:
    opener = next((opener for mark, opener in _PACKED.items() if _start(path).startswith(mark)), open)
    try:
        with opener(path, "rb") as file:
            encoding = _encoding(file.read(200))
        with opener(path, "rt", encoding=encoding, newline="") as file:
            separator = _separator(file)
            reader = csv.reader(_lines(path, file), delimiter=separator)
            header, places, rest = _header(path, reader, wanted)
            rows = (_row(places, cells, wanted.fixed) for cells in rest if any(cells))
            yield _table(places, header, rows, wanted, decimal_comma=separator != ",")
    except (EOFError, zlib.error, lzma.LZMAError, gzip.BadGzipFile) as error:
        raise InputError(f"{path.name} cannot be unpacked: {error}.") from error
    except OSError as error:
        raise InputError(f"Cannot read {path}: {error.strerror or error}.") from error
    except UnicodeError as error:
        raise InputError(f"{path.name} is not text in UTF-8 or UTF-16: {error}. Save it as CSV UTF-8.") from error
    except csv.Error as error:
        raise InputError(f"{path.name} is not a CSV file: {error}.") from error


def _lines(path: Path, file: IO[str]) -> Iterator[str]:
    """The lines of a text.

    Raises:
        InputError: one is longer than a table's are.
    """
    while line := file.readline(_MOST_LINE):
        if len(line) == _MOST_LINE and not line.endswith("\n"):
            raise InputError(f"{path.name} has a line of more than {_MOST_LINE:,} characters, as no table has.")
        yield line


def _header(
    path: Path, reader: Iterator[list[str]], wanted: _Wanted
) -> tuple[list[str], dict[str, int], Iterator[list[str]]]:
    """The names of the columns, the place of each, and the rows below: the first line, or one below lines of titles."""
    start = [[cell.strip() for cell in cells] for cells in islice(reader, _MOST_TITLES)] or [[]]
    refusal: _LacksColumnError | None = None
    for line, header in enumerate(start):
        try:
            return header, _places(path, header, wanted), chain(start[line + 1 :], reader)
        except _LacksColumnError as error:
            refusal = refusal or error
    assert refusal is not None  # noqa: S101 - there is one line at least
    raise refusal


@contextmanager
def _parquet(path: Path, wanted: _Wanted) -> Iterator[TableFile]:
    import pyarrow
    import pyarrow.parquet

    try:
        with pyarrow.parquet.ParquetFile(path) as file:
            texts = _texts_within_limits(path, file.metadata)
        # What is the same in many rows stays there once, as in the file: else it takes as much as the file may claim.
        with pyarrow.parquet.ParquetFile(path, read_dictionary=texts) as file:
            header = list(file.schema_arrow.names)
            places = _places(path, header, wanted)
            named = {name: header[place] for name, place in places.items()}
            batches = file.iter_batches(_ROWS_AT_ONCE, columns=list(named.values()))
            rows = (
                {**wanted.fixed, **{name: row[column] for name, column in named.items()}}
                for batch in batches
                for row in _rows_of_batch(path, batch)
            )
            yield _table(places, header, rows, wanted)
    except OSError as error:
        raise InputError(f"Cannot read {path}: {error}.") from error
    except pyarrow.ArrowException as error:
        raise InputError(f"{path.name} is not a Parquet file: {error}.") from error
    except UnicodeError as error:
        raise InputError(f"{path.name} has a text that is not UTF-8: {error}.") from error


def _texts_within_limits(path: Path, metadata: Any) -> list[str]:
    """The columns of texts.

    Raises:
        InputError: a column is larger, unpacked, than is read.
    """
    texts: dict[str, None] = {}
    for group in range(metadata.num_row_groups):
        for place in range(metadata.num_columns):
            chunk = metadata.row_group(group).column(place)
            if chunk.total_uncompressed_size > _MOST_CHUNK_BYTES:
                size = counted(chunk.total_uncompressed_size, "byte")
                raise InputError(
                    f"{path.name}: the column {chunk.path_in_schema!r} takes {size} in one group of rows; "
                    f"at most {_MOST_CHUNK_BYTES:,} are read: write it in smaller groups."
                )
            if chunk.physical_type == "BYTE_ARRAY":
                texts[chunk.path_in_schema] = None
    return list(texts)


def _rows_of_batch(path: Path, batch: Any) -> list[dict[str, Any]]:
    """The rows.

    Raises:
        InputError: a text is longer than a table's are.
    """
    import pyarrow
    import pyarrow.compute

    for name, column in zip(batch.schema.names, batch.columns, strict=True):
        if isinstance(column, pyarrow.DictionaryArray) and len(column.dictionary):
            longest = pyarrow.compute.max(pyarrow.compute.binary_length(column.dictionary)).as_py() or 0
            if longest > _MOST_CELL:
                raise InputError(
                    f"{path.name}: a text of the column {name!r} has {counted(longest, 'byte')}, as no table has."
                )
    rows: list[dict[str, Any]] = batch.to_pylist()
    return rows


def _table(
    places: Mapping[str, int],
    header: Sequence[str],
    rows: Iterator[Mapping[str, Any]],
    wanted: _Wanted,
    *,
    decimal_comma: bool = False,
) -> TableFile:
    column = header[places["ms"]] if "ms" in places else "ms"
    others = tuple(name for name in places if name not in {*COLUMNS, *MODEL_COLUMNS})
    unit = unit_of_header(column)
    rivals = () if "ms" in wanted.columns else _could_be_latencies(places, header)
    return TableFile(rows=rows, unit=unit, column=column, others=others, rivals=rivals, decimal_comma=decimal_comma)


def _start(path: Path) -> bytes:
    """The first bytes of a file."""
    try:
        with path.open("rb") as file:
            return file.read(16)
    except OSError as error:
        raise InputError(f"Cannot read {path}: {error.strerror}.") from error


def _encoding(start: bytes) -> str:
    """The encoding by a text's first bytes; without a mark, every other byte a zero tells UTF-16."""
    for mark, encoding in _MARKS:
        if start.startswith(mark):
            return encoding
    if len(start) >= 4 and not any(start[1:20:2]):
        return "utf-16-le"
    return "utf-16-be" if len(start) >= 4 and not any(start[0:20:2]) else "utf-8"


def _separator(file: IO[str]) -> str:
    """The character that the first line names, else the one that occurs most in it; comma where none does."""
    start = file.tell()
    header = file.readline(100_000)
    if told := _TOLD_SEPARATOR.fullmatch(header.lstrip("\ufeff")):
        return told["separator"]
    first = header
    for _ in range(_MOST_TITLES):
        if any(separator in header for separator in _SEPARATORS):
            break
        header = file.readline(100_000)  # a title
    file.seek(start)
    return max(_SEPARATORS, key=(header or first).count)


def _places(path: Path, header: Sequence[str], wanted: _Wanted) -> dict[str, int]:
    """Index of each column by its name in `COLUMNS`; columns that no latency needs keep their own."""
    if len(header) > _MOST_COLUMNS:
        raise InputError(f"{path.name} has {counted(len(header), 'column')}; at most {_MOST_COLUMNS} are read.")
    places = {}
    for name in wanted.needed:
        if name not in wanted.fixed:
            places[name] = _place(path, header, name, wanted)
    taken = set(places.values())
    rest = {column: place for place, column in enumerate(header) if place not in taken and column not in wanted.needed}
    return {**places, **rest}


def _place(path: Path, header: Sequence[str], name: str, wanted: _Wanted) -> int:
    told = wanted.columns.get(name)
    if told is not None:
        if told in header:
            return _only(path, header, told)
        raise InputError(f"{path.name} has no column {told!r}; its columns are {_listed(header)}.")
    plain = [_plain(column) for column in header]
    for alias in _ALIASES[name]:
        if alias in plain:
            return _only(path, header, header[plain.index(alias)])
    raise _LacksColumnError(
        f"{path.name} lacks the column {name!r}; its columns are {_listed(header)}. A table has the columns "
        f"{', '.join(wanted.needed)}: say which is which, as in `--column {name}=NAME`, "
        f"{'or what it would hold in every row' if name != 'ms' else 'and its unit with --unit'}."
    )


def _only(path: Path, header: Sequence[str], column: str) -> int:
    """Index of the column of this name.

    Raises:
        InputError: another one has the same name.
    """
    if header.count(column) > 1:
        raise InputError(f"{path.name} has several columns {column[:40]!r}, and nothing says which one counts: "
                         "give them different names.")  # fmt: skip
    return header.index(column)


def _could_be_latencies(places: Mapping[str, int], header: Sequence[str]) -> tuple[str, ...]:
    """Other columns that a latency would be looked for in, if the one that is read were missing."""
    read = places.get("ms")
    return tuple(name for at, name in enumerate(header) if at != read and _plain(name) in _ALIASES["ms"])


def _plain(column: str) -> str:
    """A column's name in small letters without its unit; `ms` itself stays."""
    name = column.strip().lower()
    unit = unit_of_header(name)
    if unit is None or name == "ms":
        return name.replace(" ", "_")
    rest = name.rstrip(")]")[: -len(unit)].rstrip(" _([/-")
    return rest.replace(" ", "_") or "ms"


def _listed(header: Sequence[str]) -> str:
    shown = [repr(name[:40]) for name in header[:12]]
    return ", ".join(shown) + (f" and {len(header) - 12} more" if len(header) > 12 else "") if shown else "none"


def _row(places: Mapping[str, int], cells: Sequence[str], fixed: Mapping[str, str]) -> dict[str, Any]:
    return {**fixed, **{name: cells[place] if place < len(cells) else None for name, place in places.items()}}
