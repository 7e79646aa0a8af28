"""Values that lie in files beside a model.

Only files in the model's own folder, or below it, are read: where a path leads elsewhere, the model is refused.
"""

import stat
from collections.abc import Collection, Iterator
from math import prod
from pathlib import Path

from latcast.onnx_files.records import TensorRecord
from latcast.schema import DTYPE_BYTES, InvalidModelError
from latcast.schema.counting import counted

__all__ = ["FilesBeside", "Place"]

_CHUNK = 2**20


class Place:
    """Where the values of a tensor lie.

    Args:
        path: of the file.
        offset: in bytes.
        size: in bytes.
    """

    __slots__ = ("_name", "offset", "path", "size")

    def __init__(self, name: str, path: Path, offset: int, size: int) -> None:
        self._name, self.path, self.offset, self.size = name, path, offset, size

    def chunks(self) -> Iterator[bytes]:
        """The values, a part at a time.

        Raises:
            InvalidModelError: the file cannot be read, or became too short.
        """
        try:
            with self.path.open("rb") as file:
                file.seek(self.offset)
                left = self.size
                while left and (data := file.read(min(left, _CHUNK))):
                    left -= len(data)
                    yield data
        except OSError as error:
            raise _unreadable(self._name, self.path.name, error) from error
        if left:
            raise InvalidModelError(f"The file {self.path.name!r} beside the model became shorter while it was read.")


class FilesBeside:
    """The files beside one model; each is looked up once.

    Args:
        folders: that the model lies in, under its own path and under the path that links lead to.
    """

    def __init__(self, folders: Collection[Path]) -> None:
        self._folders = list(dict.fromkeys(folders))
        self._sizes: dict[str, tuple[Path, int]] = {}

    def place(self, tensor: TensorRecord) -> Place:
        """Where a tensor's values lie, once that is known to hold them all.

        Raises:
            InvalidModelError: a path that leads out of the folder, a file that is missing or too short.
        """
        where = tensor.location
        path, size = self._file(where.get("location", ""), tensor.name)
        offset, length = _number(where, "offset", tensor.name) or 0, _number(where, "length", tensor.name)
        wanted = _size(tensor)
        if wanted is not None and length not in (None, wanted):
            raise InvalidModelError(f"The tensor {tensor.name!r} has {counted(length, 'byte')} in the file "
                                    f"{path.name!r} beside "
                                    f"the model, but its shape {tensor.dims} needs {wanted:,}: export it again."
                                    )  # fmt: skip
        wanted = size - offset if wanted is None and length is None else wanted if wanted is not None else length
        if wanted is None or wanted < 0 or offset + wanted > size:
            raise InvalidModelError(f"The file {path.name!r} beside the model has {counted(size, 'byte')}, too "
                                    "few for the "
                                    f"tensor {tensor.name!r}: copy it again.")  # fmt: skip
        return Place(tensor.name, path, offset, wanted)

    def _file(self, location: str, name: str) -> tuple[Path, int]:
        if location not in self._sizes:
            path = self._path(location, name)
            try:
                status = path.stat()
            except OSError as error:
                raise _unreadable(name, location, error) from error
            if not stat.S_ISREG(status.st_mode):
                raise _elsewhere(location, name)
            self._sizes[location] = path, status.st_size
        return self._sizes[location]

    def _path(self, location: str, name: str) -> Path:
        if not self._folders:
            raise InvalidModelError(f"The tensor {name!r} lies in the file {location[:100]!r} beside the model: give "
                                    "the model's path, not its bytes.")  # fmt: skip
        if not location or "\0" in location:
            raise _elsewhere(location, name)
        homes = [folder.resolve() for folder in self._folders]
        path = (homes[0] / location).resolve()  # of a whole path that path, which may lead into the folder
        if path in homes or not any(path.is_relative_to(home) for home in homes):
            raise _elsewhere(location, name)
        return path


def _size(tensor: TensorRecord) -> int | None:
    """Bytes that the shape needs; None for types whose size is not known."""
    if tensor.dtype not in DTYPE_BYTES or tensor.dtype == "string" or min(tensor.dims, default=0) < 0:
        return None
    bits = int(DTYPE_BYTES[tensor.dtype] * 8)
    return -(-prod(tensor.dims) * bits // 8)


def _elsewhere(location: str, name: str) -> InvalidModelError:
    return InvalidModelError(f"The tensor {name!r} lies in {location[:100]!r}, which is no file in the model's folder: "
                             "export the model with its data beside it.")  # fmt: skip


def _unreadable(name: str, location: str, error: OSError) -> InvalidModelError:
    return InvalidModelError(f"The tensor {name!r} lies in {location[:100]!r} beside the model, which cannot be read: "
                             f"{error.strerror}. Copy both files into one folder.")  # fmt: skip


def _number(where: dict[str, str], key: str, name: str) -> int | None:
    text = where.get(key)
    if text is None:
        return None
    if not (text.isascii() and text.isdecimal()) or len(text) > 18:
        raise InvalidModelError(f"The {key} {text[:40]!r} of the tensor {name!r} is no number.")
    return int(text)
