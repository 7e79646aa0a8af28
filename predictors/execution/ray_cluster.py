"""Tasks on a Ray cluster (https://docs.ray.io), where latcast is installed, too, on every node."""

import os
from collections.abc import Callable, Generator, Iterable, Iterator
from contextlib import contextmanager
from itertools import islice
from typing import Any, TypeVar

from latcast.schema import BackendUnavailableError, LatcastError
from predictors.execution.executors import AHEAD

__all__ = ["LOCAL", "RayExecutor", "ray_executor"]

S = TypeVar("S")
T = TypeVar("T")
R = TypeVar("R")
LOCAL = "local"
"""Address for a cluster that is started on this machine, and stopped afterwards."""


class RayExecutor:
    """Tasks of a Ray cluster, a core for each; made by `ray_executor`. A task whose node is lost is done again by Ray.

    Args:
        ray: the module, connected.
        slots: tasks at a time.
    """

    def __init__(self, ray: Any, slots: int) -> None:
        self._ray, self.slots = ray, slots

    def completed(self, function: Callable[[S, T], R], shared: S, tasks: Iterable[T]) -> Generator[R, None, None]:
        """See `predictors.execution.executors.Executor.completed`."""
        ray, left, most = self._ray, iter(tasks), AHEAD * self.slots
        remote, kept = ray.remote(num_cpus=1)(function), ray.put(shared)
        waiting = [remote.remote(kept, task) for task in islice(left, most)]
        try:
            while waiting:
                done, waiting = ray.wait(waiting)
                yield from self._results(done)
                waiting += [remote.remote(kept, task) for task in islice(left, most - len(waiting))]
        finally:
            for reference in waiting:
                ray.cancel(reference)

    def _results(self, references: list[Any]) -> list[Any]:
        try:
            return list(self._ray.get(references))
        except self._ray.exceptions.RayTaskError as error:
            raise error.cause from error
        except self._ray.exceptions.RayError as error:
            raise LatcastError(f"The Ray cluster lost part of the work: {str(error).splitlines()[0]}") from error


@contextmanager
def ray_executor(address: str, *, slots: int | None = None) -> Iterator[RayExecutor]:
    """An executor on the cluster at an address, or on one that is started here for `LOCAL`.

    Args:
        address: as `ray.init` takes it.
        slots: tasks at a time; as many as the cluster has cores where left out.

    Raises:
        BackendUnavailableError: Ray is not installed, or the cluster cannot be reached.
    """
    # Ray reports its use to its makers unless this is set before it starts.
    os.environ.setdefault("RAY_USAGE_STATS_ENABLED", "0")
    try:
        import ray
    except ImportError as error:
        raise BackendUnavailableError(
            "Working on a Ray cluster takes ray, which is not installed: pip install 'latcast[ray]'."
        ) from error
    options: dict[str, Any] = {"num_cpus": slots, "include_dashboard": False} if address == LOCAL else {}
    connected_before = ray.is_initialized()
    try:
        ray.init(address=address, log_to_driver=False, logging_level="ERROR", ignore_reinit_error=True, **options)
    except Exception as error:  # Ray raises whatever its transport does
        raise BackendUnavailableError(f"The Ray cluster {address!r} cannot be reached: {error}") from error
    try:
        yield RayExecutor(ray, slots or max(1, int(ray.cluster_resources().get("CPU", 1))))
    finally:
        if not connected_before:
            ray.shutdown()
