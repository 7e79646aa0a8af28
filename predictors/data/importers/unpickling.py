"""Reading published pickles without running them.

A pickle is a program. This reader builds numbers, texts, tuples, lists, dicts, sets, numpy scalars and torch tensors of
numbers itself; a file that names anything else is refused with that name, before any of it runs.
Files of `torch.save` (a zip with a pickle and raw storages inside) are read without torch.
"""

import io
import math
import pickle
import pickletools
import zipfile
import zlib
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

import numpy as np

from latcast.schema import InputError
from latcast.schema.counting import counted
from predictors.data.importers.pickle_costs import MAX_COLLISIONS, CostlyError, Costs

__all__ = ["MAX_BYTES", "load_pickle", "load_torch"]

MAX_BYTES = 256 * 2**20
"""Largest file that is read, and largest sum of a zip's unpacked members, in bytes."""

_MAX_MEMBERS = 10_000
_LONGEST_KEY = 64
_DTYPES = {f"{kind}{size}" for kind in "iuf" for size in (1, 2, 4, 8)} - {"f1"} | {"b1"}
_STORAGES = {
    "DoubleStorage": "<f8", "FloatStorage": "<f4", "HalfStorage": "<f2", "LongStorage": "<i8", "IntStorage": "<i4",
    "ShortStorage": "<i2", "CharStorage": "|i1", "ByteStorage": "|u1", "BoolStorage": "|b1",
}  # fmt: skip
_FORBIDDEN_OPCODES = {"EXT1", "EXT2", "EXT4", "NEXT_BUFFER", "READONLY_BUFFER", "PERSID", "INST", "OBJ"}
_ERRORS = (pickle.UnpicklingError, EOFError, ValueError, TypeError, LookupError, AttributeError, OverflowError,
           RecursionError, MemoryError)  # fmt: skip


def load_pickle(data: bytes, *, name: str) -> Any:
    """The value in a pickle.

    Args:
        data: the file's bytes.
        name: name of the file, for messages.

    Raises:
        InputError: the bytes are no pickle, truncated, too large, or contain anything but plain values.
    """
    return _unpickle(data, {}, name)


def load_torch(path: Path) -> Any:
    """The value in a file of `torch.save`; tensors become numpy arrays, numpy scalars plain numbers.

    Raises:
        InputError: the file is corrupt, too large, of torch's format before 1.6, or holds anything but plain values.
        OSError: the file cannot be read.
    """
    members = _members(path)
    pickles = [member for member in members if member.split("/", 1)[-1] == "data.pkl"]
    if len(pickles) != 1:
        raise InputError(f"{path.name} is not a file of torch.save: it holds no data.pkl.")
    root = pickles[0].removesuffix("data.pkl")
    if members.get(f"{root}byteorder", b"little") != b"little":
        raise InputError(f"{path.name} holds big-endian numbers; save it again on a little-endian machine.")
    prefix = f"{root}data/"
    storages = {name.removeprefix(prefix): data for name, data in members.items() if name.startswith(prefix)}
    return _unpickle(members[pickles[0]], storages, path.name)


def _members(path: Path) -> dict[str, bytes]:
    try:
        with zipfile.ZipFile(path) as archive:
            entries = archive.infolist()
            size = sum(entry.file_size for entry in entries)
            if size > MAX_BYTES or len(entries) > _MAX_MEMBERS:
                raise InputError(f"{path.name} unpacks to {counted(size, 'byte')} in "
                                 f"{counted(len(entries), 'member')}; at most "
                                 f"{MAX_BYTES:,} in {_MAX_MEMBERS:,} are read.")  # fmt: skip
            return {entry.filename: _member(archive, entry) for entry in entries}
    except (zipfile.BadZipFile, zlib.error, EOFError, NotImplementedError, RuntimeError, ValueError) as error:
        raise InputError(
            f"{path.name} is not a file of torch.save, or it is damaged ({error}); files older than torch 1.6 have "
            "to be saved again with a newer one."
        ) from error


def _member(archive: zipfile.ZipFile, entry: zipfile.ZipInfo) -> bytes:
    with archive.open(entry) as file:
        data = file.read(entry.file_size)
    if len(data) != entry.file_size:
        raise zipfile.BadZipFile(f"{entry.filename} is shorter than it says")
    return data


def _unpickle(data: bytes, storages: Mapping[str, bytes], name: str) -> Any:
    if len(data) > MAX_BYTES:
        raise InputError(f"{name} takes {counted(len(data), 'byte')}; at most {MAX_BYTES:,} are read.")
    try:
        _inspect(data)
        return _Unpickler(data, storages).load()
    except (_RefusedError, CostlyError) as error:
        raise InputError(f"{name}: {error}") from error
    except _ERRORS as error:
        raise InputError(f"{name} is not a pickle that can be read, or it is truncated: {error}.") from error


class _RefusedError(Exception):
    """A pickle asks for something that is not a plain value."""


def _inspect(data: bytes) -> None:
    """Refuse opcodes that no table needs, memo indices that reserve gigabytes, and keys that take years to hash."""
    costs = Costs()
    for count, (opcode, argument, _) in enumerate(pickletools.genops(data), start=1):
        if opcode.name in _FORBIDDEN_OPCODES:
            raise _RefusedError(f"it uses the opcode {opcode.name}, which no table of numbers needs.")
        if opcode.name == "GLOBAL":
            _builder(*str(argument).split(" ", 1))
        if opcode.name in {"PUT", "BINPUT", "LONG_BINPUT"} and int(argument or 0) > count:
            raise _RefusedError("its memo is inconsistent.")
        costs.follow(opcode, argument)


class _Unpickler(pickle.Unpickler):
    def __init__(self, data: bytes, storages: Mapping[str, bytes]) -> None:
        super().__init__(io.BytesIO(data))
        self._storages = storages

    def find_class(self, module: str, name: str) -> Any:
        return _builder(module, name)

    def persistent_load(self, pid: Any) -> "_Storage":
        kind, storage, key, _, length = pid
        if (
            kind != "storage"
            or not isinstance(storage, _StorageType)
            or not isinstance(key, str)
            or key not in self._storages
        ):
            raise _RefusedError("it refers to a storage that the file does not hold.")
        values = np.frombuffer(self._storages[key], dtype=storage.dtype)
        if len(values) != length:
            raise _RefusedError(f"the storage {key} holds {counted(len(values), 'number')}, not {length:,}.")
        return _Storage(values)


class _Builder:
    """A callable that a pickle may name. Unlike a function, it has no state that the pickle could set."""

    __slots__ = ("_make",)

    def __init__(self, make: Callable[..., Any]) -> None:
        self._make = make

    def __call__(self, *arguments: Any) -> Any:
        return self._make(*arguments)

    def __setstate__(self, state: object) -> None:
        raise _RefusedError("it tries to change what builds its values.")


class _StorageType:
    __slots__ = ("dtype",)

    def __init__(self, dtype: str) -> None:
        self.dtype = dtype

    def __setstate__(self, state: object) -> None:
        raise _RefusedError("it tries to change what builds its values.")


class _Storage:
    __slots__ = ("values",)

    def __init__(self, values: "np.ndarray[Any, Any]") -> None:
        self.values = values


class _DType:
    """Stands for a numpy dtype of plain numbers."""

    __slots__ = ("code", "order")

    def __init__(self, code: object) -> None:
        if not isinstance(code, str) or code not in _DTYPES:
            named = repr(code) if isinstance(code, str) else type(code).__name__
            raise _RefusedError(f"it holds numpy values of type {named}; only numbers are read.")
        self.code, self.order = code, "<"

    def __setstate__(self, state: tuple[Any, ...]) -> None:
        self.order = ">" if state[1] == ">" else "<"


def _scalar(dtype: object, data: object) -> int | float | bool:
    if not isinstance(dtype, _DType) or not isinstance(data, bytes):
        raise _RefusedError("it holds a numpy scalar that is not a number.")
    value = np.frombuffer(data, dtype=np.dtype(dtype.order + dtype.code))
    if len(value) != 1:
        raise _RefusedError("it holds a numpy scalar of the wrong size.")
    plain: int | float | bool = value[0].item()
    return plain


def _encode(text: object, encoding: object = "utf-8") -> bytes:
    if not isinstance(text, str) or not isinstance(encoding, str) or encoding not in {"latin1", "latin-1", "utf-8"}:
        raise _RefusedError("it encodes something that is not a text.")
    return text.encode(encoding)


def _tensor(storage: object, offset: int, size: tuple[int, ...], stride: tuple[int, ...], *_: object) -> Any:
    if not isinstance(storage, _Storage) or len(size) != len(stride) or min((offset, *size, *stride), default=0) < 0:
        raise _RefusedError("it holds a malformed tensor.")
    values = storage.values
    last = offset + sum((n - 1) * step for n, step in zip(size, stride, strict=True))
    elements = math.prod(size)
    if not elements:
        return values[:0]
    if elements > len(values) or last >= len(values):
        raise _RefusedError("it holds a tensor that reaches beyond its storage.")
    index = np.full(size, offset, dtype=np.int64)
    for axis, (n, step) in enumerate(zip(size, stride, strict=True)):
        index += (np.arange(n) * step).reshape([-1 if a == axis else 1 for a in range(len(size))])
    return values[index]


def _dict(items: object = ()) -> dict[Any, Any]:
    if not isinstance(items, tuple | list) or not all(_is_entry(item) for item in items):
        raise _RefusedError("it holds a malformed dictionary.")
    if len(items) - len({hash(key) for key, _ in items}) > MAX_COLLISIONS:
        raise _RefusedError("many of its keys share one hash.")
    return dict(items)


def _is_entry(item: object) -> bool:
    """Whether something is a pair whose key is cheap to hash: a number, a text or a short tuple of such."""
    if not isinstance(item, tuple | list) or len(item) != 2:
        return False
    parts = item[0] if isinstance(item[0], tuple) else item[:1]
    return len(parts) <= _LONGEST_KEY and not any(isinstance(part, tuple | frozenset) for part in parts)


_BUILDERS: dict[tuple[str, str], object] = {
    ("numpy", "dtype"): _Builder(lambda code, *_: _DType(code)),
    ("numpy.core.multiarray", "scalar"): _Builder(_scalar),
    ("numpy._core.multiarray", "scalar"): _Builder(_scalar),
    ("_codecs", "encode"): _Builder(_encode),
    ("__builtin__", "bytes"): _Builder(lambda: b""),
    ("collections", "OrderedDict"): _Builder(_dict),
    ("torch._utils", "_rebuild_tensor_v2"): _Builder(_tensor),
    **{("torch", name): _StorageType(dtype) for name, dtype in _STORAGES.items()},
}


def _builder(module: str, name: str) -> object:
    try:
        return _BUILDERS[module, name]
    except KeyError:
        raise _RefusedError(
            f"it asks for {module}.{name}; only plain numbers, texts and containers are read."
        ) from None
