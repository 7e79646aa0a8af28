"""Linear algebra on one thread: how libraries split a sum depends on what else runs, and with it the last bits."""

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from functools import wraps
from threading import Lock
from typing import ParamSpec, TypeVar

import numpy as np  # noqa: F401 - its BLAS has to be there to be found
from threadpoolctl import ThreadpoolController, threadpool_limits

__all__ = ["on_one_thread", "products_on_one_thread"]

Given = ParamSpec("Given")
Result = TypeVar("Result")


def on_one_thread(function: Callable[Given, Result]) -> Callable[Given, Result]:
    """The function, within which BLAS and OpenMP use one thread: the same twice, and no slower for small matrices."""

    @wraps(function)
    def limited(*args: Given.args, **kwargs: Given.kwargs) -> Result:
        with threadpool_limits(limits=1):
            return function(*args, **kwargs)

    return limited


def _with_several_threads() -> ThreadpoolController | None:
    blas = ThreadpoolController().select(user_api="blas")
    return blas if any(library.num_threads > 1 for library in blas.lib_controllers) else None


_several = _with_several_threads()
"""BLAS, unless it has one thread anyway: asked once, for what it has changes while somebody has his turn."""
_turn = Lock()


@contextmanager
def products_on_one_thread() -> Iterator[None]:
    """Run products of matrices that have to be quick: libraries are looked for once, and left alone if they comply.

    How many threads a library has holds for the whole process, so callers in several threads take turns.
    """
    if _several is None:
        yield
        return
    with _turn, _several.limit(limits=1):
        yield
