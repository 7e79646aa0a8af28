"""Linear algebra runs on one thread where it has to give the same digits twice."""

from concurrent.futures import ThreadPoolExecutor

import numpy as np
import pytest
from numpy.testing import assert_array_equal
from threadpoolctl import threadpool_info

from predictors.inference.blas_threads import on_one_thread, products_on_one_thread


def threads() -> set[int]:
    return {library["num_threads"] for library in threadpool_info() if library["user_api"] == "blas"}


@on_one_thread
def threads_within(extra: int = 0) -> set[int]:
    """How many threads each library has."""
    return {count + extra for count in threads()}


def test_a_function_runs_on_one_thread_and_leaves_the_rest_alone() -> None:
    before = threads()
    assert threads_within() == {1}
    assert threads_within(extra=2) == {3}
    assert threads_within.__doc__ == "How many threads each library has."
    assert threads() == before


def test_limits_end_when_the_function_fails() -> None:
    @on_one_thread
    def failing() -> None:
        raise ValueError("no")

    before = threads()
    with pytest.raises(ValueError, match="no"):
        failing()
    assert threads() == before


def test_products_in_several_threads_take_turns_and_agree() -> None:
    matrix = np.random.default_rng(0).standard_normal((200, 200))

    def product(_: int) -> np.ndarray:
        with products_on_one_thread():
            return matrix @ matrix

    before = threads()
    with ThreadPoolExecutor(4) as pool:
        results = list(pool.map(product, range(8)))
    for result in results[1:]:
        assert_array_equal(result, results[0])
    assert threads() == before
