"""Linear algebra on one thread: how libraries split a sum depends on what else runs, and with it the last bits."""

from collections.abc import Callable
from contextlib import AbstractContextManager, nullcontext
from functools import cache, wraps
from typing import Any, ParamSpec, TypeVar

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


def products_on_one_thread() -> AbstractContextManager[Any]:
    """For products of matrices that have to be quick: libraries are looked for once, and left alone if they comply."""
    blas = _blas()
    several = any(library.num_threads > 1 for library in blas.lib_controllers)
    return blas.limit(limits=1) if several else nullcontext()


@cache
def _blas() -> ThreadpoolController:
    return ThreadpoolController().select(user_api="blas")
