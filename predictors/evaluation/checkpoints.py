"""What is done of a long training, kept outside of the process, so that another one can go on with it."""

import io
from collections.abc import Mapping
from typing import Any, Protocol

import numpy as np
from numpy.typing import NDArray

__all__ = ["Arrays", "Checkpoints", "NoCheckpoints", "keep_arrays", "kept_arrays"]

Arrays = dict[str, NDArray[Any]]


class Checkpoints(Protocol):
    """Keeps parts of the work by name."""

    def load(self, name: str) -> bytes | None:
        """What was saved under the name; None where nothing was."""
        ...

    def save(self, name: str, content: bytes) -> None:
        """Keep the content under the name, in place of what was there."""
        ...


class NoCheckpoints:
    """Keeps nothing: for trainings that nobody goes on with."""

    def load(self, name: str) -> bytes | None:
        """None."""
        del name
        return None

    def save(self, name: str, content: bytes) -> None:
        """Drop the content."""


def kept_arrays(checkpoints: Checkpoints, name: str) -> Arrays | None:
    """The arrays that are kept under the name; None where there are none."""
    content = checkpoints.load(name)
    if content is None:
        return None
    with np.load(io.BytesIO(content), allow_pickle=False) as stored:
        return dict(stored)


def keep_arrays(checkpoints: Checkpoints, name: str, arrays: Mapping[str, NDArray[Any]]) -> None:
    """Keep arrays under the name."""
    buffer = io.BytesIO()
    np.savez(buffer, **arrays)  # type: ignore[arg-type]  # numpy's stub takes its own option for one of the arrays
    checkpoints.save(name, buffer.getvalue())
