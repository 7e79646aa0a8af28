"""The process of one training: reads what to do on standard input, and says on standard output why it cannot.

Standard input stays open as long as the worker lives: when it ends, so does this process.
"""

import json
import os
import sys
import threading
from contextlib import AbstractContextManager
from functools import partial
from typing import IO

from latcast.errors import LeaseLostError
from latcast.schema import LatcastError
from predictors.execution import Executor, open_executor
from predictors.execution.executors import cores
from predictors.foreign.reader import ForeignReader
from service.db.session import Database, create_engine_for
from service.graphs.resolver import Resolver
from service.jobs import queue
from service.jobs.payloads import TrainPayload, parsed
from service.jobs.progress import JobCheckpoints, JobProgress
from service.learning.training.trainer import Trainer
from service.operations.logs import configure_logs
from service.settings import Settings

__all__ = ["REFUSED", "executor_of", "main", "train_job"]

REFUSED = 3
"""Exit code where standard output says what is wrong with the job."""


def main() -> int:
    """Carry out the training that standard input names; the exit code."""
    request = json.loads(sys.stdin.readline())
    threading.Thread(target=_end_with, args=(sys.stdin,), daemon=True).start()
    settings = Settings(**request["settings"])
    configure_logs(settings)
    try:
        train_job(settings, request["job_id"], request["lease_token"])
    except LeaseLostError:
        return 0  # the worker finds that out by itself
    except LatcastError as error:
        sys.stdout.write(json.dumps({"error": str(error)}))
        sys.stdout.flush()
        return REFUSED
    return 0


def _end_with(worker: IO[str]) -> None:
    worker.read()
    os._exit(1)


def train_job(settings: Settings, job_id: str, lease_token: str) -> None:
    """Carry out a job's training under a lease.

    Raises:
        LatcastError: the job cannot be done, or the lease has ended; says why.
    """
    database = Database(create_engine_for(settings))
    reader = ForeignReader(timeout_s=settings.reader_timeout_s, memory_bytes=settings.reader_memory_bytes, workers=1)
    try:
        with database.read() as session:
            payload = parsed(TrainPayload, queue.find(session, job_id))
        resolver = Resolver(database, reader, cache_bytes=settings.cache_bytes)
        checkpoints = JobCheckpoints(database, job_id=job_id, lease_token=lease_token)
        progress, fitting = (JobProgress(database, job_id=job_id, lease_token=lease_token) for _ in range(2))
        executor = partial(executor_of, settings, payload)
        Trainer(database, resolver, checkpoints, progress, fitting=fitting, executor=executor).run(payload)
    finally:
        reader.close()
        database.close()


def executor_of(settings: Settings, asked: TrainPayload) -> AbstractContextManager[Executor]:
    """What does a training's fits: the worker's Ray cluster, where it has one, or so many processes as are asked for.

    Raises:
        BackendUnavailableError: Ray is not installed, or its cluster cannot be reached.
    """
    if settings.ray_address:
        return open_executor(workers=asked.workers, ray_address=settings.ray_address)
    workers = settings.training_workers if asked.workers is None else min(asked.workers, cores())
    return open_executor(workers=workers)


if __name__ == "__main__":
    sys.exit(main())
