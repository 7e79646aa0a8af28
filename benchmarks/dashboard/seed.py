"""Databases for trying the dashboard: devices, jobs and any number of measurements, made of the shipped data set.

Latencies, noise, kernels and counters are those that were measured; what the data set does not keep is drawn around
them: single samples, and repetitions of a measurement beyond those that were made.
"""

import time
from collections import Counter
from collections.abc import Collection, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow.parquet as pq
from sqlalchemy import insert, select
from sqlalchemy import text as sql
from sqlalchemy.orm import Session

from latcast.schema import (
    Architecture,
    Device,
    InputError,
    JobKind,
    JobState,
    LeaseOutcome,
    Microbench,
    Target,
    to_plain,
)
from predictors.data.measured import MeasuredTarget
from predictors.data.measured.storage import ROWS_FILE, read_targets
from predictors.foreign.child import read_here
from predictors.networks import Feature, GraphFeatures
from profilers.onnx_graph.isolated.pool import Source
from profilers.search_spaces.families import family_of
from service.db import records, tables
from service.db.session import Database
from service.fleet import access
from service.graphs import store
from service.jobs.payloads import AdaptPayload, stored

__all__ = ["Seeded", "seed"]

DATA = Path(__file__).parents[1] / "data"
DEVICES = ("lab-xeon", "edge-board")
DAYS = 14
SAMPLES, PROCESSES = 12, 2
BATCH = 5000
COPIED_AT_ONCE = 100_000
"""Ids whose rows are copied in one transaction."""
PROTOCOL_VERSION = 4
SUPPORT = 10
SCORES = 400
MISSED, HALF_WIDTH = 0.09, 0.15
Rng = np.random.Generator


@dataclass(frozen=True, slots=True, kw_only=True)
class Seeded:
    """The rows that a database was filled with.

    Args:
        targets: ids, the one with the most measurements first.
        graphs: hashes of the stored graphs.
        measurements: how many.
    """

    targets: Sequence[str]
    graphs: Sequence[str]
    measurements: int


class Reader:
    """Builds models in this process; they are our own."""

    def read(self, source: Source, features: Sequence[Feature]) -> GraphFeatures:
        """These features of a model."""
        return read_here(source, features)


def seed(
    database: Database,
    *,
    measurements: int,
    graphs_per_family: int = 3,
    families: Collection[str] = (),
    adapted: bool = False,
    seed: int = 0,
    devices: Sequence[str] = DEVICES,
    options: Sequence[str] = (),
) -> Seeded:
    """Fill a migrated, empty database.

    Args:
        database: written to.
        measurements: how many there are in the end.
        graphs_per_family: networks of each family.
        families: whose networks; all where empty.
        adapted: leave an adaptation that has all that it waits for: the service finishes it when it starts; and the
            record of forecasts that were measured later.
        seed: of what is drawn.
        devices: names of two machines.
        options: values of an option that targets have beside their own, one after the other.
    """
    rng = np.random.default_rng(seed)
    chosen = _rows(graphs_per_family, families)
    with database.write.begin() as session:
        targets = _fleet(session, devices, options)
        graphs = _graphs(session, chosen)
        rows = [row for row in chosen if row["graph"] in graphs and row["target"] in targets]
        rows.sort(key=lambda row: row["time_unix_s"] or 0.0)
        _jobs(session, rows, targets, rng)
    _measure(database, rows, targets, measurements, rng)
    if adapted:
        with database.write.begin() as session:
            _adaptation(session, targets[rows[0]["target"]].id)
            _scores(session, targets[rows[0]["target"]].id, rng)
    counts = Counter(targets[row["target"]].id for row in rows)
    return Seeded(targets=[name for name, _ in counts.most_common()], graphs=sorted(graphs), measurements=measurements)


def _rows(per_family: int, families: Collection[str]) -> list[dict[str, Any]]:
    """Rows of the first networks of each family, on all targets of the first machine."""
    table = pq.read_table(DATA / ROWS_FILE, filters=[("target", "in", [one.target.id for one in _measured()])])
    names = zip(*(table.column(name).to_pylist() for name in ("space", "text", "graph", "stale")), strict=True)
    kept: dict[str, set[str]] = {}
    places = []
    for place, (space, text, graph, stale) in enumerate(names):
        family = family_of(Architecture(space=space, text=text))
        networks = kept.setdefault(family, set())
        if families and family not in families:
            continue
        if not stale and (graph in networks or len(networks) < per_family):
            networks.add(graph)
            places.append(place)
    rows: list[dict[str, Any]] = table.take(places).to_pylist()
    return rows


def _measured() -> list[MeasuredTarget]:
    """Targets of the data set's first machine, which has the most rows."""
    targets = read_targets(DATA)
    return [one for one in targets if one.device.fingerprint == targets[0].device.fingerprint]


def _fleet(session: Session, names: Sequence[str], options: Sequence[str]) -> dict[str, Target]:
    """Two machines with these targets; the second has a third of them, and is away. By the id in the data set."""
    measured = _measured()
    devices = [replace(measured[0].device, fingerprint=f"demo-{name}", name=name) for name in names]
    for device, age_s in zip(devices, (-50.0, 7200.0), strict=True):
        _device(session, device, seen_unix_s=time.time() - age_s)
    targets = {}
    for place, one in enumerate(measured):
        device = devices[place % 3 == 2]
        more = {"build": options[place % len(options)]} if options else {}
        target = replace(one.target, device=device.fingerprint, options={**one.target.options, **more})
        session.add(records.target_row(target, session.get_one(tables.Device, records.device_id(device.fingerprint))))
        session.flush()
        session.add(_microbench(Microbench(target=target, values=dict(one.microbench), version=1)))
        targets[one.target.id] = target
    session.flush()
    return targets


def _device(session: Session, device: Device, *, seen_unix_s: float) -> None:
    row = records.device_row(device)
    session.add(row)
    session.flush()
    for days in (DAYS, DAYS / 4):  # the device was enrolled twice
        key, _ = access.create_key(session, scope="agent", name=device.name)
        since = seen_unix_s - days * 86_400
        session.add(tables.Agent(device_id=row.id, api_key_id=key.id, seen_unix_s=seen_unix_s, created_unix_s=since))
        key.first_used_unix_s = since


def _microbench(record: Microbench) -> tables.Microbench:
    plain: dict[str, Any] = to_plain(record)
    del plain["target"]
    return tables.Microbench(
        target_id=record.target.id, digest=f"demo-{record.target.id}", version=1, noisy=False, record=plain
    )


def _graphs(session: Session, rows: Sequence[dict[str, Any]]) -> set[str]:
    """Build and store the graph of each architecture; texts that the spaces no longer build are left out."""
    stored = set()
    for space, text in {(row["space"], row["text"]) for row in rows}:
        try:
            prepared = store.prepare_architecture(Reader(), Architecture(space=space, text=text))
        except InputError:
            continue
        stored.add(store.save(session, prepared))
    return stored


def _jobs(session: Session, rows: Sequence[dict[str, Any]], targets: dict[str, Target], rng: Rng) -> None:
    """A queue as it may be on a working day."""
    states = [JobState.LEASED] * 2 + [JobState.QUEUED] * 9 + [JobState.FAILED] * 3
    now = time.time()
    for place, state in enumerate(states):
        row = rows[int(rng.integers(len(rows)))]
        created = now - 60.0 * (len(states) - place)
        job = tables.Job(
            kind=JobKind.PROFILE,
            state=state,
            target_id=targets[row["target"]].id,
            graph_hash=row["graph"],
            payload={"settings": {}, "feeds": []},
            max_attempts=3,
            attempts=int(state != JobState.QUEUED),
            created_unix_s=created,
            updated_unix_s=created + 20,
        )
        if state is JobState.LEASED:
            job.lease_token, job.deadline_unix_s = f"demo-{place}", now + 86_400
        if state is JobState.FAILED:
            job.result = {"error": "The model needed more memory than the limit of 2 GiB."}
        session.add(job)
        session.flush()
        if state is JobState.LEASED:
            agent = session.scalars(tables.Agent.__table__.select().with_only_columns(tables.Agent.id)).first()
            session.add(tables.Attempt(lease_token=f"demo-{place}", job_id=job.id, agent_id=agent, number=1))
        elif state is JobState.FAILED:
            session.add(
                tables.Attempt(
                    lease_token=f"demo-{place}", job_id=job.id, process="demo", number=1, outcome=LeaseOutcome.FAILED,
                    stage="memory", message=job.result["error"], ended_unix_s=created + 20,
                )
            )  # fmt: skip


def _adaptation(session: Session, target_id: str) -> None:
    """An adaptation to networks of different latencies, each of which was measured."""
    table = tables.Measurement
    query = select(table.id, table.graph_hash, table.created_unix_s).join(
        tables.Architecture, tables.Architecture.graph_hash == table.graph_hash
    )
    query = query.where(table.target_id == target_id, table.median_ms.between(0.05, 50), ~table.noisy)
    rows = session.execute(query.where(tables.Architecture.space == "zoo").order_by(table.median_ms)).all()
    distinct = list({row.graph_hash: row for row in rows}.values())
    parent = tables.Job(
        kind=JobKind.ADAPT,
        target_id=target_id,
        payload=stored(AdaptPayload(samples=SUPPORT, sampler="variance")),
        max_attempts=3,
    )
    session.add(parent)
    session.flush()
    for row in distinct[:: max(1, len(distinct) // SUPPORT)][:SUPPORT]:
        child = tables.Job(
            kind=JobKind.PROFILE, state=JobState.DONE, target_id=target_id, graph_hash=row.graph_hash, attempts=1,
            parent_id=parent.id, max_attempts=3, payload={"settings": {}, "feeds": []},
            result={"measurement_id": row.id},
        )  # fmt: skip
        session.add(child)


def _scores(session: Session, target_id: str, rng: Rng) -> None:
    """Forecasts beside what was measured later, better with time."""
    table = tables.Measurement
    query = select(table.id, table.median_ms, table.sentinel_median_ms, table.created_unix_s)
    rows = session.execute(query.where(table.target_id == target_id, table.median_ms.is_not(None)).order_by(table.id))
    known = rows.all()
    chosen = known[:: max(1, len(known) // SCORES)][:SCORES]
    errors = np.linspace(2, 1, len(chosen)) * MISSED * rng.standard_normal(len(chosen))
    values = [
        {
            "target_id": target_id, "measurement_id": row.id, "predictor": "demo", "kind": "universal", "space": "",
            "adapted": True, "forecast_ms": row.median_ms * float(np.exp(error)), "half_width": HALF_WIDTH,
            "interval_scale": 1.0, "measured_ms": row.median_ms, "sentinel_ms": row.sentinel_median_ms,
            "at_unix_s": row.created_unix_s,
        }
        for row, error in zip(chosen, errors, strict=True)
    ]  # fmt: skip
    session.execute(insert(tables.Score), values)


def _measure(
    database: Database, rows: Sequence[dict[str, Any]], targets: dict[str, Target], count: int, rng: Rng
) -> None:
    """All rows once, in order, with kernels and counters; then repetitions of them that differ as repetitions do."""
    agents = _agents(database)
    end = time.time() - 60
    times = np.sort(end - DAYS * 86_400 * rng.random(count) ** 1.5)
    first = rows[:count]
    with database.write.begin() as session:
        for row, at in zip(first, times, strict=False):
            _insert_whole(session, row, _values(row, targets[row["target"]], float(at), rng, agents, repeated=False))
    drawn = rng.integers(len(rows), size=max(0, count - len(first)))
    left = times[len(first) :]
    for start in range(0, len(drawn), BATCH):
        part = [
            _values(rows[place], targets[rows[place]["target"]], float(at), rng, agents, repeated=True)
            for place, at in zip(drawn[start : start + BATCH], left[start : start + BATCH], strict=True)
        ]
        with database.write.begin() as session:
            session.execute(insert(tables.Measurement), part)


def _agents(database: Database) -> Mapping[str, Sequence[str]]:
    """Ids of the agents of each device, by its fingerprint, the earliest first."""
    query = select(tables.Device.fingerprint, tables.Agent.id).join(tables.Agent).order_by(tables.Agent.created_unix_s)
    found: dict[str, list[str]] = {}
    with database.read() as session:
        for row in session.execute(query):
            found.setdefault(row.fingerprint, []).append(row.id)
    return found


def _reported_by(agents: Sequence[str], at: float) -> str:
    """Who reported a measurement of that time: the last agent took over a few days ago."""
    return agents[-1] if at > time.time() - DAYS * 86_400 / 4 else agents[0]


def _values(
    row: dict[str, Any], target: Target, at: float, rng: Rng, agents: Mapping[str, Sequence[str]], *, repeated: bool
) -> dict[str, Any]:
    latency = row["latency_ms"]
    noisy, drift = row["noisy"], 1 + 0.05 * np.sin(at / 40_000) + (0.02 * rng.standard_normal() if repeated else 0)
    spread = float(row["iqr_ms"] / latency) if latency and row["iqr_ms"] else 0.01
    ms = None if latency is None else float(latency * drift)
    runs = [] if ms is None else list(_runs(row, ms, spread, rng, samples=3 if repeated else SAMPLES))
    summary = records.summary_of_runs(runs)
    return {
        "target_id": target.id,
        "agent_id": _reported_by(agents[target.device], at),
        "graph_hash": row["graph"],
        "median_ms": summary.median_ms if summary else None,
        "relative_iqr": summary.iqr_ms / summary.median_ms if summary else None,
        "noisy": bool(noisy or (repeated and rng.random() < 0.03)),
        "failure_stage": None if summary else row["failure_stage"] or "run",
        "failure_message": None if summary else row["failure_message"] or "The model did not run.",
        "settings": {"backend": target.backend, "threads": target.threads},
        "feeds": [],
        "before": {"time_unix_s": at - 20, "load_1m": row["load_1m"] or 0.0},
        "after": {"time_unix_s": at, "load_1m": row["load_1m"] or 0.0},
        "runs": runs,
        "sentinel_ms": [float(0.4 * drift)] * 2,
        "sentinel_median_ms": float(0.4 * drift),
        "protocol_version": PROTOCOL_VERSION,
        "created_unix_s": at,
    }


def _runs(row: dict[str, Any], ms: float, spread: float, rng: Rng, *, samples: int) -> Iterator[dict[str, Any]]:
    """Processes whose samples lie around the median as widely as the measured ones did."""
    for process in range(PROCESSES):
        shift = 1 + 0.3 * spread * (process - 0.5)
        drawn = ms * shift * np.exp(spread / 1.35 * rng.standard_normal(samples))
        yield {
            "samples_ms": drawn.tolist(),
            "load_ms": row["load_ms"],
            "peak_memory_bytes": row["peak_memory_bytes"],
            "kernels": False,
            "counters": False,
        }


def _insert_whole(session: Session, row: dict[str, Any], values: dict[str, Any]) -> None:
    kernels = row["kernels"] if values["runs"] else None
    values["with_kernels"] = bool(kernels)
    counters = dict(row["counters"] or ())
    for run in values["runs"][:1]:
        run["kernels"], run["counters"] = kernels is not None, bool(counters)
    one = tables.Measurement(**values)
    session.add(one)
    session.flush()
    if values["runs"]:
        session.add_all(_kernels(one.id, kernels or (), values["median_ms"]))
        session.add_all(
            tables.CounterReading(measurement_id=one.id, run=0, event=name, value=value)
            for name, value in counters.items()
        )
        session.add_all(
            tables.CounterReading(
                measurement_id=one.id, run=0, event=name, absent="perf_event_open is not permitted here"
            )
            for name in ("cycles", "instructions", "cache-misses")
            if name not in counters and counters
        )


def _kernels(measurement_id: int, kernels: Sequence[dict[str, Any]], ms: float) -> Iterator[tables.KernelMeasurement]:
    for place, kernel in enumerate(kernels):
        yield tables.KernelMeasurement(
            measurement_id=measurement_id,
            run=0,
            position=place,
            operator=kernel["operator"],
            share=kernel["share"],
            time_ms=kernel["share"] * ms,
            node=kernel["node"],
            input_shapes=kernel["input_shapes"],
            output_shapes=kernel["output_shapes"],
            dtype=kernel["dtype"],
        )


def copy_rows(database: Database, target_id: str, rows: int, *, spread: float = 0.8) -> Iterator[int]:
    """Copy the measured rows of a target, each a little changed, until it has so many; how many there are, as it goes.

    Args:
        database: was seeded.
        target_id: the target.
        rows: how many it has in the end.
        spread: width of the range of the factors by which latencies differ from those that they are copied from.
    """
    new = {
        "median_ms": f"median_ms * ({1 - spread / 2} + (id * 7919 % 1000) * {spread / 1000})",
        "relative_iqr": "relative_iqr * (0.5 + (id * 104729 % 1000) / 1000.0)",
        "created_unix_s": "created_unix_s - (id * 15485863 % 1000000)",
        "lease_token": "NULL",
        "with_kernels": "false",
        "agent_id": "CASE WHEN id % 16 = 0 THEN NULL ELSE agent_id END",
    }
    names = [column.name for column in tables.Measurement.__table__.columns if column.name != "id"]
    statement = sql(
        f"INSERT INTO measurement ({', '.join(names)}) SELECT {', '.join(new.get(name, name) for name in names)}"  # noqa: S608 - our own names
        " FROM measurement WHERE target_id = :target AND median_ms IS NOT NULL AND id > :after AND id <= :last"
        " LIMIT :count"
    )
    state = sql("SELECT count(*), max(id) FROM measurement WHERE target_id = :target")
    after, whole = 0, 0
    while True:
        with database.write.begin() as session:
            count, last = session.execute(state, {"target": target_id}).one()
            if count >= rows:
                break
            after, whole = (0, last) if after >= whole else (after, whole)
            part = {"after": after, "last": min(after + COPIED_AT_ONCE, whole), "count": rows - count}
            session.execute(statement, {"target": target_id, **part})
            after += COPIED_AT_ONCE
        yield count
    with database.engine.connect().execution_options(isolation_level="AUTOCOMMIT") as connection:
        connection.execute(sql("ANALYZE measurement"))
