"""Which executor settings ask for."""

from collections.abc import Iterator
from contextlib import contextmanager

from predictors.execution.executors import Executor, ProcessExecutor, ThreadExecutor, cores
from predictors.execution.ray_cluster import ray_executor

__all__ = ["open_executor"]


@contextmanager
def open_executor(*, workers: int | None = None, ray_address: str = "") -> Iterator[Executor]:
    """The executor that settings ask for.

    Args:
        workers: number of processes; one for each core where left out; with 1 the work is done in this process.
        ray_address: address of a Ray cluster (`host:6379`, `ray://host:10001`, `auto`), or `local` for one that is
            started here for as long as the work takes; empty for processes.

    Raises:
        BackendUnavailableError: Ray is asked for and not installed, or its cluster cannot be reached.
    """
    if ray_address:
        with ray_executor(ray_address, slots=workers) as executor:
            yield executor
        return
    slots = workers or cores()
    yield ThreadExecutor() if slots == 1 else ProcessExecutor(slots)
