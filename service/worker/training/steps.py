"""Training as a step of the service's own jobs: a child process does it, this one watches it and writes the outcome."""

import json
import os
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Mapping
from typing import Any, ClassVar

from sqlalchemy import select
from sqlalchemy.orm import Session

from latcast.errors import LeaseLostError
from latcast.schema import ArtifactError, LatcastError
from predictors.artifact import Artifact
from service.db import tables
from service.db.session import Database
from service.jobs.payloads import TrainPayload
from service.jobs.progress import holds_lease
from service.jobs.steps import Finished, LeasedJob, Steps, TryAgainError
from service.learning.artifacts import put_artifact
from service.learning.training.trainer import ARTIFACT, CARD, RESULT, SVG
from service.settings import Settings
from service.worker.training.child import REFUSED

__all__ = ["Child", "TrainingSteps", "start_training"]

LOOK_S = 0.25
"""Pause between two looks at the job and at the child: a job that is cancelled ends within twice this."""
THREAD_VARIABLES = ("OMP_NUM_THREADS", "OPENBLAS_NUM_THREADS", "MKL_NUM_THREADS")
Child = subprocess.Popen[str]


class TrainingSteps(Steps[TrainPayload]):
    """Trains in a child process, which dies with this one, with its job, or with the lease.

    What the child has done is kept under the job, so that another child goes on wherever one has died.

    Args:
        database: with the job.
        settings: of the service; the child gets the same.
        start: starts the child.
    """

    payload: ClassVar[type[TrainPayload]] = TrainPayload

    def __init__(
        self, database: Database, settings: Settings, *, start: "Callable[[Settings, str, str], Child] | None" = None
    ) -> None:
        self._database, self._settings, self._start = database, settings, start or start_training

    def plan(self, job: LeasedJob[TrainPayload]) -> Finished:
        """Train, and store the predictor.

        Raises:
            LatcastError: the job cannot be done; says why.
            TryAgainError: the child died, most likely for want of memory.
            LeaseLostError: the job was cancelled, or went on to somebody else.
        """
        child = self._start(self._settings, job.id, job.lease_token)
        try:
            self._watch(child, job)
        finally:
            end(child)
        return Finished(lambda session: store_predictor(session, job.id, active=job.payload.activate))

    def finish(self, job: LeasedJob[TrainPayload]) -> Finished:
        """Never comes: a training has no children."""
        return self.plan(job)

    def _watch(self, child: Child, job: LeasedJob[TrainPayload]) -> None:
        while child.poll() is None:
            with self._database.read() as session:
                if not holds_lease(session, job.id, job.lease_token):
                    raise LeaseLostError(f"The lease of job {job.id} has ended; its training was stopped.")
            time.sleep(LOOK_S)
        said = child.stdout.read() if child.stdout else ""
        if child.returncode == REFUSED:
            raise LatcastError(json.loads(said)["error"])
        if child.returncode < 0:
            name = signal.Signals(-child.returncode).name
            raise TryAgainError(
                f"The training process ended by {name}, most likely because memory ran out: it goes on from what it "
                "had done. Fewer rows (--rows-per-target) take less memory."
            )
        if child.returncode:
            raise RuntimeError(f"the training process ended with exit code {child.returncode}")


def start_training(settings: Settings, job_id: str, lease_token: str) -> Child:
    """Start the process of a training, in a session of its own, with one thread for the libraries' work."""
    request = {"job_id": job_id, "lease_token": lease_token, "settings": settings.model_dump(mode="json")}
    threads = dict.fromkeys(THREAD_VARIABLES, str(settings.training_threads))
    child = subprocess.Popen(
        [sys.executable, "-P", "-m", "service.worker.training.child"],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        text=True,
        env={**os.environ, **threads},
        start_new_session=True,
    )
    if child.stdin is not None:
        child.stdin.write(json.dumps(request) + "\n")
        child.stdin.flush()
    return child


def end(child: Child) -> None:
    """End a training's process and whatever it started in its session; nothing happens where it has ended."""
    if child.poll() is None:
        os.killpg(child.pid, signal.SIGKILL)
        child.wait()
    for pipe in (child.stdin, child.stdout):
        if pipe is not None:
            pipe.close()


def store_predictor(session: Session, job_id: str, *, active: bool) -> Mapping[str, Any]:
    """Make a predictor of what is kept of a training; the job's result. The same artifact twice is one predictor."""
    table = tables.Checkpoint
    rows = session.execute(select(table.name, table.content).where(table.job_id == job_id)).all()
    kept = {row.name: row.content for row in rows}
    if RESULT not in kept:
        raise ArtifactError("The training left no result: ask for it again.")
    result = json.loads(kept[RESULT])
    artifact = Artifact.from_bytes(kept[ARTIFACT])
    digest = put_artifact(session, artifact)
    row = session.scalar(select(tables.Predictor).where(tables.Predictor.artifact_digest == digest))
    if row is None:
        row = tables.Predictor(kind=artifact.kind, artifact_digest=digest, metrics=dict(artifact.metrics))
        session.add(row)
    row.dataset_id, row.active = result["dataset_id"], active or bool(row.id and row.active)
    row.card, row.calibration_svg = kept[CARD].decode(), kept[SVG].decode()
    session.flush()
    return {"predictor_id": row.id, "active": row.active, **result}
