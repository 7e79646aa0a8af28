"""Long lists of architectures in files, read in parts: Parquet, CSV, or a text a line."""

import csv
import hashlib
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from itertools import islice
from pathlib import Path

import pyarrow as pa
import pyarrow.compute as pc
from pyarrow import csv as pa_csv
from pyarrow import parquet as pq

from latcast.schema import InputError
from service.cli.forecast.network_files import DELIMITERS, column_of, encoding_of

__all__ = ["ArchitectureList", "open_list"]

TEXT, SPACE = "text", "space"
PARQUET, TABLES = (".parquet", ".pq"), (".csv", ".tsv")


@dataclass(frozen=True, slots=True, kw_only=True)
class ArchitectureList:
    """A file of architectures.

    Args:
        path: of the file.
        schema: its columns; those of CSV are texts.
        text: the column of the architectures.
        space: the column of their search spaces; empty where all are of `of_space`.
        of_space: search space of all of them; empty where the column says it.
    """

    path: Path
    schema: pa.Schema
    text: str
    space: str
    of_space: str

    def parts(self, rows: int) -> Iterator[pa.Table]:
        """The rows in order, so many at a time, with all columns.

        Raises:
            InputError: the file is damaged; names it.
        """
        try:
            yield from _of_size(self._batches(rows), self.schema, rows)
        except (pa.ArrowException, OSError, ValueError) as error:
            raise InputError(f"The list {str(self.path)!r} cannot be read: {error}.") from error

    def texts(self, part: pa.Table) -> list[str]:
        """The architectures of a part; an empty text where there is none."""
        return [text or "" for text in part.column(self.text).to_pylist()]

    def spaces(self, part: pa.Table) -> list[str]:
        """Their search spaces."""
        if not self.space:
            return [self.of_space] * len(part)
        return [space or "" for space in part.column(self.space).to_pylist()]

    def survey(self) -> tuple[int, list[str]]:
        """The number of rows, and the search spaces that they name, in order of first appearance."""
        count, seen = 0, dict[str, None]()
        for part in self.parts(100_000):
            count += len(part)
            names = pc.unique(part.column(self.space)).to_pylist() if self.space else [self.of_space]
            seen.update(dict.fromkeys(name for name in names if name))
        return count, list(seen)

    def digest(self) -> str:
        """SHA-256 of the file."""
        with self.path.open("rb") as file:
            return hashlib.file_digest(file, "sha256").hexdigest()

    def _batches(self, rows: int) -> Iterable[pa.RecordBatch]:
        suffix = self.path.suffix.lower()
        if suffix in PARQUET:
            with pq.ParquetFile(self.path) as file:
                yield from file.iter_batches(batch_size=rows)
        elif suffix in TABLES:
            types = pa_csv.ConvertOptions(column_types=dict.fromkeys(self.schema.names, pa.string()))
            parsing = pa_csv.ParseOptions(delimiter=_delimiter(self.path))
            reading = pa_csv.ReadOptions(encoding=_encoding(self.path).removesuffix("-sig"))
            with pa_csv.open_csv(self.path, reading, parsing, types) as reader:
                yield from reader
        else:
            with self.path.open(encoding=_encoding(self.path)) as file:
                lines = (line for line in map(str.strip, file) if line and not line.startswith("#"))
                while part := list(islice(lines, rows)):
                    yield pa.record_batch([pa.array(part, pa.string())], schema=self.schema)


def open_list(path: Path, space: str | None) -> ArchitectureList:
    """A list of architectures in a file.

    Args:
        path: `.parquet` and `.csv` have a column `text` (or `arch`, …) and, unless `space` is given, one `space`;
            in any other file each line is a text.
        space: search space of all of them.

    Raises:
        InputError: the file cannot be read, or lacks a column; says which it has.
    """
    try:
        schema = _schema(path)
    except (pa.ArrowException, OSError, ValueError) as error:
        reason = getattr(error, "strerror", None) or error
        raise InputError(f"The list {str(path)!r} cannot be read: {reason}.") from error
    text = _column(schema, TEXT)
    if text is None:
        raise InputError(f"{path} lacks the column 'text'; its columns are: {', '.join(schema.names) or 'none'}.")
    column = None if space else _column(schema, SPACE)
    if space is None and column is None:
        raise InputError(f"{path} does not say of which search space its texts are: give --space, or a column 'space'.")
    return ArchitectureList(path=path, schema=schema, text=text, space=column or "", of_space=space or "")


def _schema(path: Path) -> pa.Schema:
    suffix = path.suffix.lower()
    if suffix in PARQUET:
        return pq.read_schema(path).remove_metadata()
    if suffix in TABLES:
        with path.open(newline="", encoding=_encoding(path)) as file:
            names = next(csv.reader(file, delimiter=_delimiter(path)), [])
        return pa.schema([(name, pa.string()) for name in names])
    with path.open("rb"):
        return pa.schema([(TEXT, pa.string())])


def _delimiter(path: Path) -> str:
    with path.open(encoding=_encoding(path)) as file:
        header = file.readline()
    return max(DELIMITERS, key=header.count)


def _encoding(path: Path) -> str:
    with path.open("rb") as file:
        return encoding_of(file.read(2))


def _column(schema: pa.Schema, what: str) -> str | None:
    place = column_of(schema.names, what)
    return None if place is None else str(schema.names[place])


def _of_size(batches: Iterable[pa.RecordBatch], schema: pa.Schema, rows: int) -> Iterator[pa.Table]:
    """The batches as tables of so many rows; the last one may have fewer."""
    waiting = pa.Table.from_batches([], schema)
    for batch in batches:
        waiting = pa.concat_tables([waiting, pa.Table.from_batches([batch]).cast(schema)])
        while len(waiting) >= rows:
            yield waiting.slice(0, rows)
            waiting = waiting.slice(rows)
    if len(waiting):
        yield waiting
