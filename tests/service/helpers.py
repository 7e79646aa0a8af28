"""Doubles and samples for the service's tests."""

from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass
from functools import cache
from typing import Any

import onnx
from fastapi import FastAPI
from fastapi.testclient import TestClient
from onnx import TensorProto, helper
from sqlalchemy import create_engine, event, text

from latcast.client import Client
from latcast.errors import ConflictError, NotFoundError
from latcast.schema import (
    CounterReading,
    Device,
    Environment,
    KernelTiming,
    LatcastError,
    Measurement,
    ProcessRun,
    ProfileSettings,
    Target,
    UnknownNameError,
)
from predictors.foreign.child import read_here
from predictors.networks import Feature, GraphFeatures
from profilers.onnx_graph import load_graph
from profilers.onnx_graph.isolated.pool import ModelText, Source
from service.db import records, tables
from service.db.session import Database
from service.fleet import registration
from service.fleet.access import Principal
from service.forecasting.types import ExplainedForecast, Forecast, Neighbour, QualityPair
from service.graphs.resolver import Item
from service.jobs import queue
from service.settings import Settings
from service.worker.kinds import service_steps
from service.worker.runner import JobRunner

DEVICE = Device(
    fingerprint="machine-1",
    name="bench",
    machine="x86_64",
    processor="Some CPU",
    physical_cores=2,
    logical_cores=4,
    memory_bytes=2**34,
    cache_bytes={"L1d": 32768},
    features=("avx2",),
)
TARGET = Target(device="machine-1", backend="fake", backend_version="1")
OTHER_TARGET = Target(device="machine-1", backend="fake", backend_version="1", threads=2)
CELL = "|nor_conv_3x3~0|+|nor_conv_3x3~0|avg_pool_3x3~1|+|skip_connect~0|nor_conv_3x3~1|skip_connect~2|"


@cache
def model(width: int = 4, *, batch: int | str = 1) -> bytes:
    """A small ONNX model; each width is a graph of its own, and a batch that is a name is dynamic."""
    node = helper.make_node("MatMul", ["x", "w"], ["y"])
    weights = helper.make_tensor("w", TensorProto.FLOAT, [8, width], [0.1] * 8 * width)
    graph = helper.make_graph(
        [node],
        "g",
        [helper.make_tensor_value_info("x", TensorProto.FLOAT, [batch, 8])],
        [helper.make_tensor_value_info("y", TensorProto.FLOAT, [batch, width])],
        [weights],
    )
    proto = helper.make_model(graph, opset_imports=[helper.make_opsetid("", 17)], ir_version=10)
    onnx.checker.check_model(proto)
    return bytes(proto.SerializeToString())


def measurement(
    graph: str,
    *,
    target: Target = TARGET,
    ms: float = 2.0,
    noisy: bool = False,
    sentinel_ms: tuple[float, ...] = (),
    at_unix_s: float = 1.0,
) -> Measurement:
    """A measurement as an agent sends it: two processes, kernels, counters."""
    kernels = (KernelTiming(operator="MatMul", share=1.0, time_ms=ms, node=0, input_shapes=((1, 8), (8, 4))),)
    counters = CounterReading(values={"instructions": 1e6}, enabled_ns={"instructions": 5}, absent={"llc": "no PMU"})
    return Measurement(
        graph=graph,
        target=target,
        settings=ProfileSettings(backend=target.backend, threads=target.threads),
        before=Environment(time_unix_s=at_unix_s, load_1m=0.5),
        after=Environment(time_unix_s=2.0),
        runs=(
            ProcessRun(samples_ms=(ms, ms, ms), kernels=kernels, counters=counters, peak_memory_bytes=1000),
            ProcessRun(samples_ms=(ms * 1.1,)),
        ),
        noisy=noisy,
        sentinel_ms=sentinel_ms,
    )


def registered_by_admin(database: Database, targets: Sequence[Target] = (TARGET,), device: Device = DEVICE) -> str:
    """The key of an agent that an admin registered: unlike a machine itself, an admin may have several at a time."""
    with database.write.begin() as session:
        made = registration.register(
            session, settings=Settings(), principal=Principal(scope="admin"), device=device, targets=targets
        )
    assert made.agent_key is not None
    return made.agent_key


def run_sql(url: str, *statements: str) -> None:
    """Run statements, each outside of a transaction."""
    engine = create_engine(url, isolation_level="AUTOCOMMIT")
    with engine.connect() as connection:
        for statement in statements:
            connection.execute(text(statement))
    engine.dispose()


class DirectReader:
    """Reads and builds models in this process; counts what it is asked for."""

    def __init__(self) -> None:
        self.calls: Counter[str] = Counter()

    def read(self, source: Source, features: Sequence[Feature]) -> GraphFeatures:
        self.calls["build" if isinstance(source, ModelText) else "read"] += 1
        self.calls.update(str(name) for name, *_ in features)
        return read_here(source, features)


class FakeForecaster:
    """Answers with the length of the text in ms; knows two targets and one search space."""

    def forecast(
        self, target_id: str, items: Sequence[Item], level: float, *, predictor: str | None = None
    ) -> list[Forecast | LatcastError]:
        self._require(target_id)
        return [self._answer(item, level) for item in items]

    def artifact(self, target_id: str, space: str) -> bytes:
        self._require(target_id)
        if space != "toy":
            raise ConflictError("Measure some.")
        return b"artifact"

    def _require(self, target_id: str) -> None:
        if target_id not in {TARGET.id, OTHER_TARGET.id}:
            raise NotFoundError(f"There is no target {target_id!r}; GET /v1/targets lists them.")

    def _answer(self, item: Item, level: float) -> Forecast | LatcastError:
        if item.space not in (None, "toy"):
            return UnknownNameError("search space", item.space, ["toy"])
        if item.onnx is not None:
            try:
                load_graph(item.onnx if isinstance(item.onnx, bytes) else b"".join(item.onnx))
            except LatcastError as error:
                return error
        latency_ms = float(len(item.text or "x"))
        return Forecast(
            latency_ms=latency_ms,
            interval_ms=(latency_ms * (1 - level / 2), latency_ms * (1 + level / 2)),
            source="predicted",
            coverage=1.0,
            adapted=False,
            predictor="p",
        )

    def explain(self, target_id: str, item: Item, level: float, *, most: int) -> ExplainedForecast:
        answer = self._answer(item, level)
        if isinstance(answer, LatcastError):
            raise answer
        nearest = tuple(Neighbour(name=f"n{place}", measured_ms=1.0, distance=0.1) for place in range(most))
        return ExplainedForecast(forecast=answer, no_kernels="A fake has no kernels.", nearest=nearest)

    def quality(self, target_id: str) -> list[QualityPair]:
        self._require(target_id)
        return [QualityPair(graph="g", measured_ms=1.0, predicted_ms=1.1, support=False)]


@dataclass
class World:
    """A running application, its database, and a client of it."""

    app: FastAPI
    settings: Settings
    database: Database
    http: TestClient
    client: Client

    def step(self) -> bool:
        """Carry a job of the service's own on by one step, as its worker would; whether there was one."""
        return self.runner().advance()

    def runner(self, *, lease_seconds: float = 120.0, process: str = "tests") -> JobRunner:
        """A worker for the jobs of the service's own."""
        forecaster = self.app.state.parts.forecaster
        steps = service_steps(
            self.database, self.settings, catalogue=forecaster.catalogue, resolver=forecaster.resolver
        )
        worker = queue.Worker(process=process)
        return JobRunner(self.database, steps, worker=worker, lease_seconds=lease_seconds)

    def client_with(self, key: str | None) -> Client:
        """A client that sends this key."""
        return Client("http://testserver", key, transport=self.http._transport)

    def agent(self, targets: Sequence[Target] = (TARGET,), device: Device = DEVICE) -> Client:
        """A client with the key of an agent that has just registered the targets, beside any that the device has."""
        return self.client_with(registered_by_admin(self.database, targets, device))

    def graph(self, width: int = 4) -> str:
        """Hash of a graph that is stored."""
        return str(self.client.upload_graph(model(width))["hash"])

    def measure(
        self,
        agent: Client,
        width: int = 4,
        *,
        ms: float = 2.0,
        noisy: bool = False,
        sentinel_ms: tuple[float, ...] = (),
        at_unix_s: float = 1.0,
    ) -> int:
        """Have a graph measured by the agent; the measurement's id."""
        graph = self.graph(width)
        self.client.profile(TARGET.id, graphs=[graph])
        job = agent.lease(wait_s=0)
        assert job is not None
        found = measurement(graph, ms=ms, noisy=noisy, sentinel_ms=sentinel_ms, at_unix_s=at_unix_s)
        receipt = agent.result(job["id"], job["lease_token"], found)
        return int(receipt["measurement_id"])


def add_row(world: World, graph: str, **values: Any) -> None:
    """A row of `TARGET` as it may have been stored before reports were checked."""
    columns: dict[str, Any] = {"settings": {}, "feeds": [], "runs": [], "sentinel_ms": [], "protocol_version": 1}
    with world.database.write.begin() as session:
        session.add(tables.Measurement(target_id=TARGET.id, graph_hash=graph, **{**columns, **values}))


def add_import(world: World, *, ms: float = 7.0) -> str:
    """A row of a public table."""
    target = Target(device="pixel", backend="imported", origin="table.csv (MIT)")
    with world.database.write.begin() as session:
        session.add(records.target_row(target, None))
        architecture = tables.Architecture(space="nasbench201", text=CELL)
        session.add(architecture)
        session.flush()
        session.add(
            tables.Measurement(
                target_id=target.id,
                architecture_id=architecture.id,
                statistic="mean",
                median_ms=ms,
                settings={},
                feeds=[],
                runs=[],
                sentinel_ms=[],
                protocol_version=0,
            )
        )
    return target.id


def transactions(database: Database) -> list[list[str]]:
    """Of each transaction from now on, its statements."""
    done: list[list[str]] = []
    now: list[str] = []
    event.listen(database.engine, "before_cursor_execute", lambda *told: now.append(told[2]))

    def commit(_connection: object) -> None:
        done.append(now.copy())
        now.clear()

    event.listen(database.engine, "commit", commit)
    return done
