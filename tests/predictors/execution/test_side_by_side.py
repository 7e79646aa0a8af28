"""Parts of a computation on several threads."""

import os
from collections.abc import Iterator
from threading import Barrier, get_ident

import pytest

from predictors.execution.side_by_side import side_by_side, use_threads


@pytest.fixture(autouse=True)
def _one_thread_again() -> Iterator[None]:
    yield
    use_threads(1)


@pytest.mark.parametrize("threads", [1, 2, 5])
@pytest.mark.parametrize("count", [0, 1, 2, 40])
def test_results_are_in_the_order_of_the_parts(threads: int, count: int) -> None:
    use_threads(threads)
    assert side_by_side(lambda part: part * part, range(count)) == [part * part for part in range(count)]


def test_parts_are_worked_on_at_the_same_time() -> None:
    use_threads(2)
    both = Barrier(2, timeout=30)  # nobody passes it alone
    assert sorted(side_by_side(lambda _: both.wait(), [0, 1])) == [0, 1]


def test_one_thread_until_somebody_says_more() -> None:
    assert set(side_by_side(lambda _: get_ident(), range(20))) == {get_ident()}


@pytest.mark.parametrize("threads", [1, 3])
def test_an_error_of_one_part_is_the_callers(threads: int) -> None:
    use_threads(threads)
    with pytest.raises(ZeroDivisionError):
        side_by_side(lambda part: 1 // part, [3, 2, 1, 0])


def test_a_part_may_have_parts_of_its_own() -> None:
    use_threads(2)
    found = side_by_side(lambda part: sum(side_by_side(lambda inner: part * inner, range(5))), range(8))
    assert found == [10 * part for part in range(8)]


@pytest.mark.skipif(not hasattr(os, "fork"), reason="needs fork")
def test_a_forked_process_works_alone() -> None:
    use_threads(2)
    side_by_side(lambda part: part, range(8))
    child = os.fork()
    if child == 0:
        os._exit(0 if side_by_side(lambda _: get_ident(), range(8)) == [get_ident()] * 8 else 1)
    assert os.waitpid(child, 0)[1] == 0
