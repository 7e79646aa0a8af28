"""Rows and targets as two Parquet files."""

from collections.abc import Iterable, Sequence
from dataclasses import fields
from itertools import count, pairwise
from pathlib import Path
from typing import Any

from latcast.schema import Device, InputError, KernelTiming, LatcastError, Target, from_plain, to_plain
from predictors.data.measured.records import About, MeasuredRow, MeasuredTarget

__all__ = ["ROWS_FILE", "TARGETS_FILE", "read_about", "read_rows", "read_targets", "write_rows", "write_targets"]

ROWS_FILE, TARGETS_FILE = "rows.parquet", "targets.parquet"
FORMAT = {"latcast.format": "1"}
ZSTD_LEVEL = 19
ROWS_PER_GROUP = 2000
NAMES = tuple(item.name for item in fields(MeasuredRow))


def write_rows(path: Path, rows: Sequence[MeasuredRow]) -> None:
    """Write the rows in their order.

    Raises:
        LatcastError: pyarrow is not installed.
    """
    arrow = _arrow()
    columns = {name: [getattr(row, name) for row in rows] for name in NAMES}
    columns["counters"] = [list(row.counters.items()) for row in rows]
    columns["kernels"] = [None if row.kernels is None else [_kernel(k) for k in row.kernels] for row in rows]
    _write(path, arrow.table(columns, schema=_row_schema(arrow)))


def write_targets(path: Path, targets: Iterable[MeasuredTarget], about: About) -> None:
    """Write the targets, with the data set's licence and notes.

    Raises:
        LatcastError: pyarrow is not installed.
    """
    arrow = _arrow()
    rows = [
        {
            "id": measured.target.id,
            **to_plain(measured.target),
            "options": list(measured.target.options.items()),
            "device": _pairs(to_plain(measured.device), "cache_bytes", "details"),
            "microbench": list(measured.microbench.items()),
            "versions": list(measured.versions.items()),
        }
        for measured in targets
    ]
    metadata = {**FORMAT, "licence": about.licence, "notes": "\n".join(about.notes)}
    _write(path, arrow.Table.from_pylist(rows, schema=_target_schema(arrow).with_metadata(metadata)))


def read_rows(folder: Path) -> list[MeasuredRow]:
    """All rows of a data set, failures and repetitions included.

    Raises:
        InputError: the folder holds no such file, or another format.
        LatcastError: pyarrow is not installed.
    """
    table = _read(folder / ROWS_FILE)
    missing = sorted(set(NAMES) - set(table.column_names))
    if missing:
        raise InputError(f"{folder / ROWS_FILE} lacks the column {missing[0]!r}: pack it again with this version.")
    columns = {name: table.column(name).to_pylist() for name in NAMES if name != "kernels"}
    columns["counters"] = [dict(pairs) for pairs in columns["counters"]]
    columns["kernels"] = _timings(table.column("kernels"), columns["latency_ms"])
    return [MeasuredRow(**dict(zip(NAMES, row, strict=True))) for row in zip(*map(columns.get, NAMES), strict=True)]


def read_targets(folder: Path) -> list[MeasuredTarget]:
    """All targets of a data set.

    Raises:
        InputError: the folder holds no such file, or another format.
        LatcastError: pyarrow is not installed.
    """
    return [_target(plain) for plain in _read(folder / TARGETS_FILE).to_pylist(maps_as_pydicts="strict")]


def read_about(folder: Path) -> About:
    """The licence and the notes of a data set.

    Raises:
        InputError: the folder holds no targets, or another format.
        LatcastError: pyarrow is not installed.
    """
    metadata = {key.decode(): value.decode() for key, value in _read(folder / TARGETS_FILE).schema.metadata.items()}
    return About(licence=metadata["licence"], notes=tuple(metadata["notes"].splitlines()))


def _kernel(timing: KernelTiming) -> dict[str, Any]:
    """A timing without its milliseconds, which follow from its share and the latency."""
    return {
        "operator": timing.operator,
        "share": timing.share,
        "node": timing.node,
        "input_shapes": timing.input_shapes,
        "output_shapes": timing.output_shapes,
        "dtype": timing.dtype,
    }


def _timings(column: Any, latencies_ms: Sequence[float]) -> list[tuple[KernelTiming, ...] | None]:
    """The kernels of each row. Arrow's `to_pylist` takes ten times as long for nested lists."""
    timings: list[tuple[KernelTiming, ...] | None] = []
    for chunk in column.chunks:
        struct, offsets = chunk.values, chunk.offsets.to_pylist()
        parts = [struct.field(name).to_pylist() for name in ("operator", "share", "node", "dtype")]
        kernels = list(
            zip(*parts, *(_tuples(struct.field(f"{side}_shapes")) for side in ("input", "output")), strict=True)
        )
        for here, valid, (start, stop) in zip(count(len(timings)), chunk.is_valid().to_pylist(), pairwise(offsets)):
            rows = (_timing(kernel, latencies_ms[here]) for kernel in kernels[start:stop])
            timings.append(tuple(rows) if valid else None)
    return timings


def _tuples(lists: Any) -> list[tuple[Any, ...]]:
    """Nested Arrow lists of whole numbers, of any depth, as tuples."""
    inner = lists.values
    values = _tuples(inner) if hasattr(inner, "offsets") else inner.to_numpy().tolist()
    return [tuple(values[start:stop]) for start, stop in pairwise(lists.offsets.to_pylist())]


def _timing(kernel: tuple[Any, ...], latency_ms: float) -> KernelTiming:
    operator, share, node, dtype, inputs, outputs = kernel
    return KernelTiming(
        operator=operator,
        share=share,
        time_ms=share * latency_ms,
        node=node,
        input_shapes=inputs,
        output_shapes=outputs,
        dtype=dtype,
    )


def _target(plain: dict[str, Any]) -> MeasuredTarget:
    settings = {name: plain.get(name) for name in ("backend", "backend_version", "precision", "threads", "options")}
    device = from_plain(Device, plain["device"])
    target = from_plain(Target, {**settings, "device": device.fingerprint, "origin": plain["origin"]})
    if target.id != plain["id"]:
        raise InputError(f"The target {plain['id']} does not have the id that follows from its fields.")
    return MeasuredTarget(target=target, device=device, microbench=plain["microbench"], versions=plain["versions"])


def _pairs(plain: dict[str, Any], *names: str) -> dict[str, Any]:
    return {**plain, **{name: list(plain[name].items()) for name in names}}


def _row_schema(arrow: Any) -> Any:
    text, number, shapes = arrow.string(), arrow.float64(), arrow.list_(arrow.list_(arrow.int64()))
    types = {str: text, float: number, int: arrow.int64(), bool: arrow.bool_()}
    kernel = arrow.struct(
        [("operator", text), ("share", arrow.float32()), ("node", arrow.int32()), ("input_shapes", shapes),
         ("output_shapes", shapes), ("dtype", text)]
    )  # fmt: skip
    special = {"counters": arrow.map_(text, number), "kernels": arrow.list_(kernel)}
    schema = arrow.schema(
        [(item.name, special.get(item.name) or types[_scalar(item.type)]) for item in fields(MeasuredRow)]
    )
    return schema.with_metadata(FORMAT)


def _scalar(annotation: Any) -> type:
    """The scalar type of an annotation: `float` for `float | None`, `str` for hashes and ids."""
    return next(
        cls for cls in (bool, int, float, str) if annotation is cls or cls in getattr(annotation, "__args__", ())
    )


def _target_schema(arrow: Any) -> Any:
    text, whole, number = arrow.string(), arrow.int64(), arrow.float64()
    device = arrow.struct(
        [("fingerprint", text), ("name", text), ("machine", text), ("processor", text), ("physical_cores", whole),
         ("logical_cores", whole), ("memory_bytes", whole), ("cache_bytes", arrow.map_(text, whole)),
         ("features", arrow.list_(text)), ("system", text), ("details", arrow.map_(text, text))]
    )  # fmt: skip
    columns = [("id", text), ("backend", text), ("backend_version", text), ("precision", text), ("threads", whole),
               ("options", arrow.map_(text, text)), ("origin", text), ("device", device),
               ("microbench", arrow.map_(text, number)), ("versions", arrow.map_(text, text))]  # fmt: skip
    return arrow.schema(columns)


def _arrow() -> Any:
    try:
        import pyarrow
        import pyarrow.parquet
    except ModuleNotFoundError as error:
        raise LatcastError("Parquet files need pyarrow: pip install 'latcast[service]'.") from error
    return pyarrow


def _write(path: Path, table: Any) -> None:
    draft = path.with_suffix(".draft")
    _arrow().parquet.write_table(
        table, draft, compression="zstd", compression_level=ZSTD_LEVEL, row_group_size=ROWS_PER_GROUP
    )
    draft.replace(path)


def _read(path: Path) -> Any:
    arrow = _arrow()
    if not path.exists():
        raise InputError(f"There is no {path.name} in {path.parent}: name a folder that `latcast dataset pack` wrote.")
    try:
        table = arrow.parquet.read_table(path)
    except arrow.ArrowException as error:
        raise InputError(f"{path} is not a Parquet file: {error}.") from error
    version = (table.schema.metadata or {}).get(b"latcast.format", b"?").decode()
    if version != FORMAT["latcast.format"]:
        raise InputError(f"{path} has the format {version}, and this version reads {FORMAT['latcast.format']}.")
    return table
