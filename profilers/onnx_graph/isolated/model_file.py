"""A model that is too large to be held: a file that is read a piece at a time."""

from collections.abc import Iterator
from hashlib import blake2b
from typing import IO

__all__ = ["ModelFile", "whole"]

PIECE_BYTES = 2**20


class ModelFile:
    """The bytes of a model in an open file, in which there may be others; one thread at a time reads the file.

    Args:
        file: seekable, open for reading; whoever opened it closes it.
        start: where the model begins.
        size: bytes of the model; all after its beginning where left out.
    """

    def __init__(self, file: IO[bytes], *, start: int = 0, size: int | None = None) -> None:
        self._file, self._start = file, start
        self._size = file.seek(0, 2) - start if size is None else size

    def __len__(self) -> int:
        return self._size

    def __iter__(self) -> Iterator[bytes]:
        """The bytes, a piece at a time, from the beginning."""
        place, end = self._start, self._start + self._size
        while place < end:
            self._file.seek(place)
            piece = self._file.read(min(PIECE_BYTES, end - place))
            if not piece:  # the file was cut off
                return
            place += len(piece)
            yield piece

    def digest(self) -> bytes:
        """BLAKE2b of all bytes."""
        digest = blake2b()
        for piece in self:
            digest.update(piece)
        return digest.digest()


def whole(model: bytes | ModelFile) -> bytes:
    """All bytes of a model."""
    return model if isinstance(model, bytes) else b"".join(model)
