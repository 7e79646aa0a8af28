"""The tables of HELP (Lee, Lee, Chong and Hwang, NeurIPS 2021, https://github.com/HayeonLee/HELP, MIT licence).

Its folder `data/` has one folder for each search space: `latency/<device>.pt`, a list of ms in the order of the
space's architectures; `hardware_embedding_index.pt`, the ten reference architectures; and a file that names the
architectures. A suffix of the device's name is the batch size.
"""

import re
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Self

import numpy as np

from latcast.schema import Architecture, InputError, Target, UnknownNameError
from latcast.schema.articles import with_article
from latcast.schema.counting import counted
from predictors.base import FloatArray
from predictors.data.importers.records import BACKEND, Column, Imported, Skipped, collect
from predictors.data.importers.unpickling import load_torch
from profilers.search_spaces.fbnet import OPERATORS as FBNET_OPERATORS
from profilers.search_spaces.fbnet import FBNet
from profilers.search_spaces.nasbench201 import NASBench201
from profilers.search_spaces.ofa_mbv3 import OFAMobileNetV3

__all__ = ["ORIGIN", "LatencyTable", "help_folder", "import_help", "read_table", "table_spaces", "target_of"]

ORIGIN = "HELP (github.com/HayeonLee/HELP), MIT licence"

_FOLDERS = {"nasbench201": "nasbench201", "fbnet": "fbnet", "ofa_mbv3": "ofa"}
"""Folder of each search space."""

_BATCH = re.compile(r"(?P<device>.+)_(?P<batch>1|32|64|256)")
_NO_BATCH = frozenset({"essential_ph_1"})
"""Devices whose name without a batch size ends like one (the Essential PH-1 is a phone)."""


@dataclass(frozen=True, slots=True, kw_only=True)
class LatencyTable:
    """Latencies of the same architectures on many devices.

    Args:
        space: name of the search space.
        architectures: n of them, in the table's order.
        latency_ms: float64 (n,) by device; NaN where the table has no usable value.
        references: indices of the reference architectures that describe a device (HELP, section 3.2).
    """

    space: str
    architectures: Sequence[Architecture]
    latency_ms: Mapping[str, FloatArray]
    references: tuple[int, ...] = ()

    def __len__(self) -> int:
        return len(self.architectures)

    def subset(self, rows: "np.ndarray[Any, np.dtype[np.intp]]") -> Self:
        """The table of the architectures at these indices, in that order; references elsewhere are dropped."""
        position = {int(row): index for index, row in enumerate(rows)}
        return type(self)(
            space=self.space,
            architectures=[self.architectures[int(row)] for row in rows],
            latency_ms={device: values[rows] for device, values in self.latency_ms.items()},
            references=tuple(position[row] for row in self.references if row in position),
        )

    def column(self, device: str) -> FloatArray:
        """Latencies of a device in ms, float64 (n,).

        Raises:
            UnknownNameError: the table has no such device.
        """
        if device not in self.latency_ms:
            raise UnknownNameError(f"device of the {self.space} table", device, sorted(self.latency_ms))
        return self.latency_ms[device]


def help_folder(data: Path) -> Path:
    """The folder that holds the spaces' folders: `data` itself, or its `help`, `data` or `help/data`.

    Raises:
        InputError: none of them has tables of HELP.
    """
    for folder in (data, data / "help", data / "data", data / "help" / "data"):
        if any((folder / name / "latency").is_dir() for name in _FOLDERS.values()):
            return folder
    raise InputError(
        f"{data} has no tables of HELP (folders such as nasbench201/latency): clone "
        "https://github.com/HayeonLee/HELP and give its data folder."
    )


def table_spaces(data: Path) -> tuple[str, ...]:
    """Names of the search spaces that have a table in HELP's folder.

    Raises:
        InputError: the folder holds no tables of HELP.
    """
    folder = help_folder(data)
    return tuple(space for space, name in _FOLDERS.items() if (folder / name / "latency").is_dir())


def read_table(data: Path, space: str) -> LatencyTable:
    """The table of one search space.

    Args:
        data: folder that holds HELP's tables, see `help_folder`.
        space: name of the search space.

    Raises:
        UnknownNameError: HELP has no table of that search space.
        InputError: the folder holds no such table, or one of its files is malformed; the message names the file.
    """
    table, skipped = _read(help_folder(data), space)
    if skipped:
        raise InputError(f"The {space} table cannot be used: {skipped[0]}")
    return table


def import_help(data: Path) -> Imported:
    """All columns of all tables in HELP's folder as one data set.

    A device's file that cannot be read is skipped with its reason, as is the table of a search space that is not
    installed; the others are read.

    Raises:
        InputError: the folder holds no tables of HELP.
    """
    folder, columns, skipped = help_folder(data), list[Column](), list[Skipped]()
    for space in table_spaces(data):
        try:
            table, problems = _read(folder, space)
        except InputError as error:
            skipped.append(Skipped(what=_FOLDERS[space], reason=str(error)))
            continue
        skipped += problems
        columns += [
            Column(target=target_of(space, device), architectures=table.architectures, latency_ms=values)
            for device, values in table.latency_ms.items()
        ]
    return collect(f"HELP tables in {folder.name}", columns, skipped)


def target_of(space: str, device: str) -> Target:
    """The target of a column of HELP's tables; the batch size is in its options."""
    match = None if device in _NO_BATCH else _BATCH.fullmatch(device)
    batch = match["batch"] if match else "1"
    return Target(device=device, backend=BACKEND, options={"space": space, "batch": batch}, origin=ORIGIN)


def _read(folder: Path, space: str) -> tuple[LatencyTable, list[Skipped]]:
    if space not in _FOLDERS:
        raise UnknownNameError("table of HELP", space, tuple(_FOLDERS))
    place = folder / _FOLDERS[space]
    architectures = _ARCHITECTURES[space](place)
    latencies, skipped = dict[str, FloatArray](), list[Skipped]()
    for path in sorted((place / "latency").glob("*.pt")):
        try:
            latencies[path.stem] = _latencies(path, len(architectures))
        except InputError as error:
            skipped.append(
                Skipped(what=f"{place.name}/latency/{path.name}", reason=str(error), rows=len(architectures))
            )
    if not latencies and not skipped:
        raise InputError(f"{place.name}/latency holds no file *.pt.")
    references = _references(place / "hardware_embedding_index.pt", len(architectures))
    table = LatencyTable(space=space, architectures=architectures, latency_ms=latencies, references=references)
    return table, skipped


def _latencies(path: Path, count: int) -> FloatArray:
    values = load_torch(path)
    if isinstance(values, list) and not all(isinstance(value, int | float) for value in values):
        raise InputError(f"{path.name} holds something else than latencies in ms.")
    array = np.asarray(values, dtype=np.float64) if isinstance(values, list | np.ndarray) else np.empty(0)
    if array.shape != (count,):
        raise InputError(f"{path.name} holds {counted(array.size, 'latency')} for {counted(count, 'architecture')}.")
    return np.where(np.isfinite(array) & (array > 0), array, np.nan)


def _references(path: Path, count: int) -> tuple[int, ...]:
    if not path.exists():
        return ()
    values = load_torch(path)
    if not isinstance(values, list) or not all(isinstance(value, int) and 0 <= value < count for value in values):
        raise InputError(f"{path.name} does not hold indices of architectures.")
    return tuple(values)


def _nasbench201(place: Path) -> list[Architecture]:
    """The architectures of `str_arch2idx.pt`, a dictionary from text to index."""
    index = _load(place / "str_arch2idx.pt", dict)
    if not all(isinstance(value, int) for value in index.values()) or sorted(index.values()) != list(range(len(index))):
        raise InputError("str_arch2idx.pt does not number its architectures from 0 on.")
    space = NASBench201()
    return [space.parse(text) for text in sorted(index, key=index.__getitem__)]


def _load(path: Path, kind: type) -> Any:
    if not path.exists():
        raise InputError(f"{path.parent.name}/{path.name} is missing.")
    value = load_torch(path)
    if not isinstance(value, kind):
        raise InputError(f"{path.name} holds {with_article(type(value).__name__)}, not {with_article(kind.__name__)}.")
    return value


def _fbnet(place: Path) -> list[Architecture]:
    """The architectures of `metainfo.pt`, which lists the operators of each."""
    space = FBNet()
    entries = _load(place / "metainfo.pt", dict).get("arch")
    return [
        space.from_operators(_numbers(entry, "op_idx_list", below=len(FBNET_OPERATORS))) for entry in _entries(entries)
    ]


def _ofa(place: Path) -> list[Architecture]:
    """The architectures of `ofa_archs.pt`: kernel sizes, expansion ratios, depths and the resolution of each."""
    space = OFAMobileNetV3()
    entries = _entries(_load(place / "ofa_archs.pt", dict).get("arch"))
    return [
        space.from_settings(
            kernels=_numbers(entry, "ks"),
            expansions=_numbers(entry, "e"),
            depths=_numbers(entry, "d"),
            resolution=_numbers({"r": [entry.get("r")]}, "r")[0],
        )
        for entry in entries
    ]


def _entries(value: Any) -> list[dict[str, Any]]:
    if not isinstance(value, list) or not all(isinstance(entry, dict) for entry in value):
        raise InputError("The file that names the architectures lacks its list 'arch'.")
    return value


def _numbers(entry: dict[str, Any], name: str, *, below: int = 1 << 16) -> list[int]:
    values = entry.get(name)
    if not isinstance(values, list) or not all(isinstance(value, int) and 0 <= value < below for value in values):
        raise InputError(f"An architecture's {name!r} is not a list of numbers as it should be.")
    return values


_ARCHITECTURES: Mapping[str, Callable[[Path], list[Architecture]]] = {
    "nasbench201": _nasbench201,
    "fbnet": _fbnet,
    "ofa_mbv3": _ofa,
}
