"""Reads an ONNX file for whoever wants its latency: without its weights, or whole with what lies beside it."""

import errno
import glob
import os
import stat
from collections.abc import Collection, Iterator
from io import BytesIO
from pathlib import Path
from typing import BinaryIO

from latcast.onnx_files.beside import FilesBeside, Place
from latcast.onnx_files.declarations import declared_as
from latcast.onnx_files.opening import opened
from latcast.onnx_files.packed import LOOKED_AT_BYTES, packed_file
from latcast.onnx_files.records import ModelRecord, TensorRecord, read_record
from latcast.onnx_files.usage import MARK, Role, constants_of, model_uses, stripped_role
from latcast.onnx_files.wire import (
    Bytes,
    Edit,
    Kept,
    Later,
    MalformedError,
    Parts,
    edited_parts,
    encoded_field,
    encoded_number,
    field_of,
    write,
)
from latcast.schema import InputError, InvalidModelError, ModelLimitError

__all__ = ["MODEL_BYTES", "read_model", "without_weights", "write_model"]

MODEL_BYTES = 2**30
"""Largest model that is read: as `profilers.onnx_graph.Limits.model_bytes`."""

_LISTED = 5
"""Files of a folder that a message names."""
_NO_ROOM = frozenset({errno.ENOSPC, errno.EDQUOT, errno.EFBIG})
"""Errors that only a file which is written can have: they are not of the model that is read."""


def read_model(
    path: str | os.PathLike[str],
    *,
    weights: bool = False,
    declared: bytes | None = None,
    most_bytes: int = MODEL_BYTES,
) -> bytes:
    """The bytes of an ONNX file in one piece, whatever of it lies in files beside it.

    A model of any size takes as much memory as the result: weights that are left out are passed over, not read, and the
    others are read straight into it.

    Args:
        path: of the file.
        weights: with the values of the weights. By default they are left out: no forecast needs them, and the hash is
            the same without.
        declared: the model without its weights and with its shapes bound, whose declarations are taken.
        most_bytes: the result may have.

    Raises:
        InputError: the file cannot be read.
        InvalidModelError: the file is packed; a path that leads out of the model's folder, a file beside it that is
            missing or too short.
        ModelLimitError: the result would be larger than `most_bytes`.
    """
    whole = BytesIO()  # grows in place, and gives its buffer away
    write_model(path, whole, weights=weights, declared=declared, most_bytes=most_bytes)
    return whole.getvalue()


def write_model(
    path: str | os.PathLike[str],
    out: BinaryIO,
    *,
    weights: bool = False,
    declared: bytes | None = None,
    most_bytes: int = MODEL_BYTES,
) -> None:
    """Write what `read_model` gives into a file, a chunk at a time.

    Args:
        path: of the model.
        out: takes the bytes.
        weights: as for `read_model`.
        declared: as for `read_model`.
        most_bytes: as for `read_model`.

    Raises:
        InputError, InvalidModelError, ModelLimitError: as `read_model`.
        OSError: there is no room for them.
    """
    path = Path(path)
    try:
        with _opened(path) as file:
            status = os.fstat(file.fileno())
            _require_file(path, status.st_mode)
            _require_unpacked(path, file.read(LOOKED_AT_BYTES))
            source = Bytes(file, status.st_size)
            folders = [path.parent, path.resolve().parent]
            write(_parts(source, folders, weights=weights, most_bytes=most_bytes, declared=declared), out)
    except MalformedError as error:
        raise InvalidModelError(f"The file {path.name!r} became shorter while it was read.") from error
    except OSError as error:
        if error.errno in _NO_ROOM:
            raise
        raise InputError(f"Cannot read {str(path)!r} ({error.strerror}). {_advice(path, error)}") from error


def _opened(path: Path) -> BinaryIO:
    try:
        return opened(path)
    except ValueError as error:  # a zero byte, or half a surrogate pair
        raise InputError(f"{str(path)!r} is no path of a file.") from error


def _require_file(path: Path, mode: int) -> None:
    if not stat.S_ISREG(mode):
        raise InputError(
            f"{str(path)!r} is a pipe or a device, of which nothing can be read twice: save the model to a file first."
        )


def _require_unpacked(path: Path, start: bytes) -> None:
    if (packed := packed_file(path, start)) is not None:
        raise InvalidModelError(f"{str(path)!r} {packed.advice}")


def _advice(path: Path, error: OSError) -> str:
    """A sentence that says how to go on from a file that cannot be read."""
    if isinstance(error, IsADirectoryError):
        models = sorted(one.name for one in path.glob("*.onnx"))[:_LISTED]
        return f"Name a file of that folder: {', '.join(models)}." if models else "Give an ONNX file, not a folder."
    if path.name == "-":
        return "Save the model to a file first; standard input may hold a list of networks (--file -)."
    if glob.has_magic(str(path)):
        return "No file fits that pattern."
    return "Give an ONNX file; an architecture's text goes with the name of its search space."


def without_weights(model: bytes | str | os.PathLike[str]) -> bytes:
    """A model without the values of its weights; what is no ONNX comes back as it is.

    Args:
        model: a whole ONNX file, or its path: only a path leads to weights that lie beside it.

    Raises:
        InputError: as `read_model`; of bytes, values that matter lie in another file.
    """
    if not isinstance(model, bytes):
        return read_model(model)
    whole = BytesIO()
    write(_parts(Bytes(model), [], weights=False, most_bytes=len(model)), whole)
    return whole.getvalue()


def _parts(
    source: Bytes, folders: list[Path], *, weights: bool, most_bytes: int, declared: bytes | None = None
) -> Parts:
    beside = FilesBeside(folders)
    try:
        record = read_record(source)
        stripped = {} if weights else dict(_weights(record))
        if folders:
            for tensor, _ in stripped.values():
                if tensor.outside:
                    beside.place(tensor)  # raises where the file is missing or too short
        taken_in = [(tensor, beside.place(tensor)) for tensor in _kept_outside(record, stripped)]
        edits = [] if weights else list(record.needless)
        edits += [Edit(tensor.start, tensor.end, _placeholder(tensor, role)) for tensor, role in stripped.values()]
        edits += declared_as(source, declared) if declared is not None else []
        left = source.size + sum(edit.size - (edit.end - edit.start) for edit in edits)
        _check(left + sum(place.size for _, place in taken_in), most_bytes)
        edits += [Edit(tensor.start, tensor.end, _whole(tensor, place)) for tensor, place in taken_in]
        return edited_parts(source, sorted(edits))
    except MalformedError:
        _check(source.size, most_bytes)
        return [Kept(source, 0, source.size)]  # whoever loads it says what is wrong with it


def _weights(record: ModelRecord) -> Iterator[tuple[int, tuple[TensorRecord, Role]]]:
    """What is refilled, and with what, by where it lies."""
    uses = model_uses(record.graph, record.functions)
    for tensor, name in constants_of(record.graph, record.functions):
        role = stripped_role(tensor, uses.get(name))
        if role is not None:
            yield tensor.start, (tensor, role)


def _kept_outside(record: ModelRecord, stripped: Collection[int]) -> list[TensorRecord]:
    """Tensors in other files whose values stay."""
    constants = [tensor for tensor, _ in constants_of(record.graph, record.functions)]
    kept = [tensor for tensor in (*constants, *record.others) if tensor.outside and tensor.start not in stripped]
    return list({tensor.start: tensor for tensor in kept}.values())


def _placeholder(tensor: TensorRecord, role: Role) -> bytes:
    return _head(tensor) + encoded_field(12, (MARK + role).encode())


def _whole(tensor: TensorRecord, place: Place) -> list[bytes | Later]:
    return [_head(tensor), *field_of(9, [place]), encoded_field(12, _encoded(tensor.doc_string))]


def _head(tensor: TensorRecord) -> bytes:
    """Sizes, type and name, as `TensorProto` has them."""
    dims = [encoded_number(1, size) for size in tensor.dims]
    return b"".join((*dims, encoded_number(2, tensor.code), encoded_field(8, _encoded(tensor.name))))


def _encoded(text: str) -> bytes:
    return text.encode("utf-8", "surrogateescape")


def _check(size: int, most_bytes: int) -> None:
    if size > most_bytes:
        raise ModelLimitError("model_bytes", allowed=most_bytes, found=f"{size:,} (bytes, with what lies beside it)")
