"""Answers item by item: measured, forecast by the first predictor that can, or an error of the item's own."""

import math
from collections.abc import Iterator, Sequence
from dataclasses import replace
from pathlib import Path
from threading import current_thread

import numpy as np
import pytest
from onnx import TensorProto, helper
from sqlalchemy.exc import OperationalError

from latcast.errors import NotFoundError
from latcast.schema import (
    Architecture,
    InvalidArchitectureError,
    InvalidModelError,
    LatcastError,
    UnsupportedGraphError,
)
from predictors.base import Capabilities, FloatArray, LatencyDataset, Prediction, Query
from predictors.kinds.flops import FlopsPredictor
from predictors.networks import Feature, GraphFeatures
from profilers.host.cancellation import Cancellation, WorkCancelledError, cancelled_by, check_wanted
from profilers.onnx_graph import load_graph
from profilers.onnx_graph.isolated.pool import ModelPart, ModelText, Source
from service.db import records
from service.db.session import Database, create_engine_for
from service.forecasting import forecaster as module
from service.forecasting.forecaster import Forecaster
from service.forecasting.types import Forecast
from service.graphs.queries import NetworkQuery
from service.graphs.resolver import Item
from service.learning.catalogue import ServedPredictor
from service.settings import Settings
from tests.service.helpers import CELL, TARGET, DirectReader, World, add_row, model


class PickyReader(DirectReader):
    """Cannot build one of the networks, nor parts of it that no other has."""

    def read(self, source: Source, features: Sequence[Feature]) -> GraphFeatures:
        if isinstance(source, ModelText | ModelPart) and "none~0" in source.architecture.text:
            raise InvalidModelError("Building the network took longer than 30 s; make it smaller.")
        return super().read(source, features)


class Narrow(FlopsPredictor):
    """Reads graphs of one node alone, and notes how many it is asked about at a time."""

    capabilities = Capabilities(inputs=frozenset({"graph"}))

    def __init__(self) -> None:
        super().__init__()
        self.asked: list[int] = []

    def predict(self, queries: Sequence[Query]) -> Prediction:
        self.asked.append(len(queries))
        if any(len(query.graph.nodes) > 1 for query in queries):
            raise UnsupportedGraphError("too many nodes")
        return Prediction(median_ms=np.full(len(queries), 7.0))

    def coverage(self, queries: Sequence[Query]) -> FloatArray:
        return np.ones(len(queries))


def fitted() -> FlopsPredictor:
    graphs = [load_graph(model(width)) for width in range(1, 13)]
    queries = [Query(target=TARGET, graph=graph) for graph in graphs]
    latency_ms = np.array([0.05 + graph.flops / 1e3 for graph in graphs])
    return FlopsPredictor().fit(LatencyDataset(queries=queries, latency_ms=latency_ms))


@pytest.fixture
def forecaster(new_sqlite: str, tmp_path: Path) -> Iterator[Forecaster]:
    settings = Settings(database_url=new_sqlite, data_dir=tmp_path)
    database = Database(create_engine_for(settings))
    with database.write.begin() as session:
        session.add(records.target_row(TARGET, None))
    yield Forecaster(settings, database, PickyReader())
    database.close()


def test_each_item_has_an_answer_or_an_error_of_its_own(forecaster: Forecaster) -> None:
    unbuildable = CELL.replace("nor_conv_3x3~0", "none~0", 1)
    answers = forecaster.forecast(
        TARGET.id,
        [
            Item(space="nasbench201", text=CELL),
            Item(space="nasbench201", text=unbuildable),
            Item(space="nasbench201", text="nonsense"),
            Item(onnx=model()),
            Item(graph="g1-none"),
        ],
        0.9,
    )
    assert [type(answer) for answer in answers] == [
        Forecast, InvalidModelError, InvalidArchitectureError, Forecast, NotFoundError,
    ]  # fmt: skip


def test_an_unknown_target_is_one_error(forecaster: Forecaster) -> None:
    for items in ([], [Item(onnx=model())]):
        with pytest.raises(NotFoundError, match="no target"):
            forecaster.forecast("none", items, 0.9)
    with pytest.raises(NotFoundError, match="no target"):
        forecaster.quality("none")


def test_what_the_first_cannot_read_goes_to_the_next(forecaster: Forecaster) -> None:
    narrow, wide = Narrow(), fitted()
    chain = [ServedPredictor(id="narrow", predictor=narrow, adapted=True),
             ServedPredictor(id="wide", predictor=wide, adapted=False)]  # fmt: skip
    cell = NetworkQuery(target=TARGET, architecture=Architecture(space="nasbench201", text=CELL))
    small = [Query(target=TARGET, graph=load_graph(model(width))) for width in range(1, 4)]
    answers = forecaster.predicted(chain, dict(enumerate([*small, cell])), level=0.9, target=TARGET)
    named = [answer.predictor if isinstance(answer, Forecast) else answer for _, answer in sorted(answers.items())]
    assert named == ["narrow"] * 3 + ["wide"]
    assert narrow.asked == [4, 2, 2, 1, 1]  # halved until the one that spoils the batch stands alone


def test_batches_have_few_enough_nodes(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(module, "BATCH_NODES", 3)
    one = Query(target=TARGET, graph=load_graph(model()))
    two = Query(target=TARGET, graph=replace(one.graph, nodes=one.graph.nodes * 2))
    four = Query(target=TARGET, graph=replace(one.graph, nodes=one.graph.nodes * 4))
    queries = [one, one, two, one, four, one, one, one, one]
    parts = list(module.batches(queries, FlopsPredictor()))
    assert parts == [[one, one], [two, one], [four], [one, one, one], [one]]
    assert list(module.batches([], FlopsPredictor())) == []


def test_an_error_that_nobody_answers_stays(forecaster: Forecaster) -> None:
    cell = NetworkQuery(target=TARGET, architecture=Architecture(space="nasbench201", text=CELL))
    alone = [ServedPredictor(id="narrow", predictor=Narrow(), adapted=True)]
    answers = forecaster.predicted(alone, {0: cell}, level=0.9, target=TARGET)
    assert isinstance(answers[0], LatcastError)
    assert str(answers[0]) == "too many nodes"


def test_queries_are_grouped_by_what_they_are_read_as() -> None:
    text = NetworkQuery(target=TARGET, architecture=Architecture(space="nasbench201", text=CELL))
    graph = Query(target=TARGET, graph=load_graph(model()))
    assert module.by_space({0: graph, 3: text, 4: graph}) == {"": {0: graph, 4: graph}, "nasbench201": {3: text}}
    assert module.name_of(text, "nasbench201") == CELL
    assert module.name_of(graph, "") == graph.graph.hash


class Brittle(FlopsPredictor):
    """Fails unforeseen at graphs of more than one node."""

    capabilities = Capabilities(inputs=frozenset({"graph"}))

    def predict(self, queries: Sequence[Query]) -> Prediction:
        if any(len(query.graph.nodes) > 1 for query in queries):
            raise ZeroDivisionError
        return Prediction(median_ms=np.full(len(queries), 7.0))

    def coverage(self, queries: Sequence[Query]) -> FloatArray:
        return np.ones(len(queries))


def test_an_unforeseen_failure_is_its_items_error_alone(forecaster: Forecaster) -> None:
    chain = [ServedPredictor(id="brittle", predictor=Brittle(), adapted=True)]
    cell = NetworkQuery(target=TARGET, architecture=Architecture(space="nasbench201", text=CELL))
    good = Query(target=TARGET, graph=load_graph(model(2)))
    answers = forecaster.predicted(chain, {0: good, 1: cell, 2: good}, level=0.9, target=TARGET)
    assert [type(answers[index]) for index in range(3)] == [Forecast, UnsupportedGraphError, Forecast]
    assert "could not be forecast" in str(answers[1])


def test_errors_of_the_database_are_not_the_items() -> None:
    with pytest.raises(OperationalError):
        module.failure(OperationalError("select", {}, Exception("gone")))


@pytest.mark.parametrize("latency_ms", [np.nan, np.inf, 0.0, -1.0])
def test_a_forecast_that_is_no_positive_time_is_its_items_error(latency_ms: float) -> None:
    forecast = Forecast(
        latency_ms=latency_ms, interval_ms=None, source="predicted", coverage=1.0, adapted=False, measurements=0,
        origin="measured",
    )  # fmt: skip
    answer = module.sensible(forecast)
    assert isinstance(answer, UnsupportedGraphError)
    assert "no positive number" in str(answer)
    sound = replace(forecast, latency_ms=1.0, interval_ms=(0.5, 2.0))
    assert module.sensible(sound) is sound
    assert isinstance(module.sensible(replace(sound, interval_ms=(0.5, np.inf))), UnsupportedGraphError)


def conv(group: int) -> bytes:
    node = helper.make_node("Conv", ["x", "w"], ["y"], group=group)
    shapes = {"x": [1, 4, 8, 8], "w": [4, 4, 3, 3]}
    inputs = [helper.make_tensor_value_info(name, TensorProto.FLOAT, shape) for name, shape in shapes.items()]
    outputs = [helper.make_tensor_value_info("y", TensorProto.FLOAT, None)]
    graph = helper.make_graph([node], "graph", inputs, outputs)
    opsets = [helper.make_opsetid("", 17)]
    return bytes(helper.make_model(graph, opset_imports=opsets, ir_version=9).SerializeToString())


def test_convolutions_without_groups_spoil_no_other_answer(forecaster: Forecaster) -> None:
    items = [Item(onnx=conv(0)), Item(onnx=model()), Item(onnx=conv(-3)), Item(onnx=conv(1))]
    refused, sound, negative, whole = forecaster.forecast(TARGET.id, items, 0.9)
    assert isinstance(refused, LatcastError)
    assert isinstance(negative, LatcastError)
    assert "group" in str(refused)
    assert isinstance(sound, Forecast)
    assert isinstance(whole, Forecast)


def test_a_latency_that_cannot_be_is_no_answer(world: World) -> None:
    """Such a row was stored before reports were checked; quality has to go on without it."""
    world.agent()
    add_row(world, world.graph(), median_ms=math.inf, runs=[{"samples_ms": [1.7e308] * 2, "peak_memory_bytes": 0}])
    real = Forecaster(world.settings, world.database, PickyReader())
    assert real.quality(TARGET.id) == []
    (answer,) = real.forecast(TARGET.id, [Item(graph=world.graph())], 0.9)
    assert isinstance(answer, Forecast)
    assert answer.source == "predicted"


def test_graphs_are_read_in_threads_that_give_up_with_their_caller() -> None:
    queries = [Query(target=TARGET, architecture=Architecture(space="toy", text=str(place))) for place in range(20)]
    seen: list[str] = []

    def read(query: Query) -> Query:
        check_wanted()
        seen.append(current_thread().name)
        return query

    assert module.in_threads(read, queries, 3) == queries
    assert current_thread().name not in seen
    assert module.in_threads(read, queries[:2], 1) == queries[:2]
    assert seen[-1] == current_thread().name
    gone = Cancellation()
    gone.cancel()
    with cancelled_by(gone), pytest.raises(WorkCancelledError):
        module.in_threads(read, queries, 3)
    assert len(seen) == 22
