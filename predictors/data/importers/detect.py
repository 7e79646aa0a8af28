"""Choosing the importer that reads a path."""

from collections.abc import Mapping
from pathlib import Path
from typing import Any

from latcast.schema import InputError, UnknownNameError
from predictors.data.importers.graph_files import Prepare
from predictors.data.importers.help import help_folder, import_help
from predictors.data.importers.latbench import import_latbench
from predictors.data.importers.models_table import import_models_table
from predictors.data.importers.nnlqp import import_nnlqp
from predictors.data.importers.records import Imported
from predictors.data.importers.table import import_table
from predictors.data.importers.table_files import names_models

__all__ = ["FORMATS", "detect_format", "read_any"]

FORMATS = ("help", "latbench", "nnlqp", "table", "models")
"""Names of the formats of tables, one for each importer."""

_SUFFIXES: Mapping[str, str] = {
    ".csv": "table",
    ".tsv": "table",
    ".parquet": "table",
    ".pq": "table",
    ".pickle": "latbench",
    ".pkl": "latbench",
}


def detect_format(path: Path, *, columns: Mapping[str, str] | None = None) -> str:
    """The format of a file or folder, one of `FORMATS`, by its content.

    Args:
        path: file or folder.
        columns: names that columns of a table have in the file, see `open_table`.

    Raises:
        InputError: the path does not exist, or holds nothing that any importer reads.
    """
    if not path.exists():
        raise InputError(f"{path} does not exist.")
    if path.is_file():
        kind = next((_SUFFIXES[suffix] for suffix in _suffixes(path) if suffix in _SUFFIXES), None)
        if kind is not None:
            return "models" if kind == "table" and names_models(path, columns=columns or {}) else kind
    elif (path / "gt.txt").is_file():
        return "nnlqp"
    elif any([*path.glob("*.pickle"), *path.glob("*.pkl")]):
        return "latbench"
    elif _is_help(path):
        return "help"
    raise InputError(
        f"{path} holds nothing that can be imported: HELP's data folder, LatBench pickles, a folder with gt.txt and "
        "ONNX files, or a CSV or Parquet file with the columns target, space, text and ms, or target, onnx and ms. The "
        "output of a benchmarking tool is imported together with --model and --device."
    )


def read_any(
    path: Path, *, kind: str | None = None, origin: str = "", prepare: Prepare | None = None, **table: Any
) -> Imported:
    """Read a path with the importer that fits.

    Args:
        path: file or folder.
        kind: one of `FORMATS`; detected where left out.
        origin: source and licence of a plain table, see `import_table`.
        prepare: function that reads ONNX models, see `GraphFiles`.
        **table: how a plain table is written, see `import_table`.

    Raises:
        UnknownNameError: `kind` is not one of `FORMATS`.
        InputError: the path holds nothing that can be imported, or the importer refuses it.
    """
    match kind or detect_format(path, columns=table.get("columns")):
        case "help":
            return import_help(path)
        case "latbench":
            return import_latbench(path)
        case "nnlqp":
            return import_nnlqp(path, prepare=prepare)
        case "table":
            return import_table(path, origin=origin, **table)
        case "models":
            return import_models_table(path, origin=origin, prepare=prepare, **table)
        case other:
            raise UnknownNameError("format", other, FORMATS)


def _suffixes(path: Path) -> list[str]:
    """The endings of a file's name that tell its format, without that of a packer; a workbook is refused as a table."""
    last = path.suffix.lower()
    if last in (".gz", ".bz2", ".xz"):
        return [Path(path.stem).suffix.lower()]
    return [".csv"] if last in (".xlsx", ".xls", ".ods", ".zip", ".h5") else [last]


def _is_help(path: Path) -> bool:
    try:
        help_folder(path)
    except InputError:
        return False
    return True
