"""Tasks on a real Ray cluster that is started on this machine."""

import importlib.util
import os
from collections.abc import Iterator

import pytest

from latcast.schema import BackendUnavailableError, InputError, LatcastError
from predictors.execution import Executor, open_executor
from tests.predictors.execution.tasks import added, died, refused

INSTALLED = importlib.util.find_spec("ray") is not None
with_ray = pytest.mark.skipif(not INSTALLED, reason="ray is not installed: pip install 'latcast[ray]'")
without_ray = pytest.mark.skipif(INSTALLED, reason="ray is installed")


@pytest.fixture(scope="module")
def cluster() -> Iterator[Executor]:
    with open_executor(workers=2, ray_address="local") as executor:
        yield executor


@with_ray
def test_every_task_is_done_once_and_elsewhere(cluster: Executor) -> None:
    results = list(cluster.completed(added, 100, range(25)))
    assert sorted(total for total, _ in results) == list(range(100, 125))
    assert os.getpid() not in {process for _, process in results}


@with_ray
def test_what_the_function_raises_is_raised(cluster: Executor) -> None:
    with pytest.raises(InputError, match="1 and 2 do not fit"):
        list(cluster.completed(refused, 1, [2]))


@with_ray
def test_a_task_that_cannot_be_done_is_a_sentence(cluster: Executor) -> None:
    with pytest.raises(LatcastError, match="lost part of the work"):
        list(cluster.completed(died, 0, [1]))


@with_ray
def test_a_cluster_that_is_not_there_is_a_sentence() -> None:
    with pytest.raises(BackendUnavailableError, match="cannot be reached"), open_executor(ray_address="nonsense://x"):
        pass


@without_ray
def test_without_ray_a_sentence_says_what_to_install() -> None:
    with pytest.raises(BackendUnavailableError, match=r"latcast\[ray\]"), open_executor(ray_address="local"):
        pass
