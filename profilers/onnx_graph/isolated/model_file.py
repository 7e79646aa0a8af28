"""A model that is too large to be held: a file that is read a piece at a time."""

from collections.abc import Iterator
from hashlib import blake2b
from typing import IO

__all__ = ["ModelFile", "whole"]

PIECE_BYTES = 2**20


class ModelFile:
    """The bytes of a model in an open file; nothing else moves the file's position meanwhile.

    Args:
        file: seekable, open for reading; whoever opened it closes it.
    """

    def __init__(self, file: IO[bytes]) -> None:
        self._file = file
        self._size = file.seek(0, 2)

    def __len__(self) -> int:
        return self._size

    def __iter__(self) -> Iterator[bytes]:
        """The bytes, a piece at a time, from the beginning."""
        self._file.seek(0)
        while piece := self._file.read(PIECE_BYTES):
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
