"""A database whose names are as long as they may be: of machines, targets, networks, operators, keys and predictors."""

from collections.abc import Iterator
from itertools import cycle
from typing import Any

from sqlalchemy import select
from sqlalchemy.orm import Session

from benchmarks.dashboard.seed import Seeded, seed
from latcast.schema import JobKind, JobState
from service.db import tables
from service.db.session import Database

LENGTH = 100
FOREIGN = (
    "machine_of_the_laboratory_that_measures_",
    'rack 4 <b>shelf 12</b> & "quoted" <script>alert(1)</script> ',
    "0f3a9c",
    "🚀测量设备的非常长的名字",
    "جهاز قياس زمن الاستجابة ",
)
"""Without a place to break, like markup, one word, of wide characters, from right to left."""
NAMES = tuple((text * LENGTH)[:LENGTH].strip() for text in FOREIGN)
FAMILIES = ("zoo/mobile", "zoo/plain", "zoo/vision_transformer", "kernels/gemm", "fbnet")
ADAPTED_WITH = "zoo"
RENAMED_OPERATORS = ("Conv", "Relu", "MatMul", "Add", "Softmax")


def fill(database: Database, *, measurements: int) -> Seeded:
    """Fill a migrated, empty database; it has an adaptation that is made when a service starts."""
    made = seed(
        database, measurements=measurements, graphs_per_family=2, families=FAMILIES, adapted=True,
        devices=NAMES[:2], options=NAMES,
    )  # fmt: skip
    with database.write.begin() as session:
        for rename in (_networks, _operators, _keys, _jobs, _conditions, _predictors):
            rename(session, cycle(NAMES))
    return made


def _networks(session: Session, names: Iterator[str]) -> None:
    """Networks that no adaptation learns from are of spaces, and have texts, that nobody knows."""
    table = tables.Architecture
    for row in session.scalars(select(table).where(table.space != ADAPTED_WITH).order_by(table.id)):
        row.space, row.text = next(names), f"{row.id} {next(names)}"


def _operators(session: Session, names: Iterator[str]) -> None:
    """What nodes, kernels and counters are called."""
    renamed = dict(zip(RENAMED_OPERATORS, names, strict=False))
    for graph in session.scalars(select(tables.Graph)):
        counts = graph.summary["operators"]
        graph.summary = {**graph.summary, "operators": {renamed.get(name, name): counts[name] for name in counts}}
    for facts in session.scalars(select(tables.GraphFacts)):
        words = (renamed.get(name, name).replace(" ", "_") for name in facts.operators.split())
        facts.operators = f" {' '.join(words)} "
    for kernel in session.scalars(select(tables.KernelMeasurement)):
        kernel.operator = renamed.get(kernel.operator, kernel.operator)
    for reading in session.scalars(select(tables.CounterReading).where(tables.CounterReading.absent.is_not(None))):
        reading.absent = f"{reading.absent}: {next(names)}"


def _keys(session: Session, names: Iterator[str]) -> None:
    for key in session.scalars(select(tables.ApiKey)):
        key.name = key.owner = next(names)


def _jobs(session: Session, names: Iterator[str]) -> None:
    for job in session.scalars(select(tables.Job).where(tables.Job.state == JobState.FAILED)):
        job.result = {"error": next(names)}
    for attempt in session.scalars(select(tables.Attempt).where(tables.Attempt.message.is_not(None))):
        attempt.message = next(names)


def _conditions(session: Session, names: Iterator[str]) -> None:
    """Machines, what surrounded measurements, and why some failed."""
    for device in session.scalars(select(tables.Device)):
        more = {"processor": next(names), "system": next(names), "details": {next(names): next(names)}}
        device.record = {**device.record, **more}
    table = tables.Measurement
    for row in session.scalars(select(table).where(table.with_kernels).limit(50)):
        row.before = {**row.before, "governor": next(names)}
        row.after = {**row.after, "governor": next(names)}
    for row in session.scalars(select(table).where(table.failure_message.is_not(None))):
        row.failure_message = next(names)


def _predictors(session: Session, names: Iterator[str]) -> None:
    """A predictor that is not active, and its training."""
    made: dict[str, Any] = {"median_ape": 0.1234, next(names): 0.5}
    session.add(tables.Artifact(digest="0" * 64, content=b""))
    session.flush()
    session.add(
        tables.Predictor(
            kind=next(names), artifact_digest="0" * 64, active=False, metrics=made, card=f"# {next(names)}",
            dataset_id=None,
        )
    )  # fmt: skip
    failed = {"error": next(names)}
    session.add(tables.Job(kind=JobKind.TRAIN, state=JobState.FAILED, payload={}, max_attempts=1, result=failed))
