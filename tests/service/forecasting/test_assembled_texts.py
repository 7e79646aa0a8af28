"""New texts on a device of one's own: no graph is built for them, and the answers are those of their graphs."""

from collections.abc import Sequence
from dataclasses import replace

import numpy as np
import pytest

from latcast.schema import Architecture, LatcastError
from profilers.search_spaces import get_space
from service.forecasting import forecaster as module
from service.forecasting.forecaster import Forecaster
from service.forecasting.types import Forecast
from service.graphs.resolver import Item
from service.settings import Settings
from tests.service.helpers import TARGET, DirectReader, World, measurement

SPACES = ("fbnet", "mnasnet", "ofa_mbv3")


def drawn(space: str, count: int) -> list[Architecture]:
    rng = np.random.default_rng(3)
    return [get_space(space).sample(rng) for _ in range(count)]


def texts(architectures: list[Architecture]) -> list[Item]:
    return [Item(space=each.space, text=each.text) for each in architectures]


def graphs(architectures: list[Architecture]) -> list[Item]:
    return [Item(onnx=get_space(each.space).to_onnx(each)) for each in architectures]


@pytest.fixture
def reader() -> DirectReader:
    return DirectReader()


@pytest.fixture
def forecaster(world: World, reader: DirectReader) -> Forecaster:
    world.agent()
    return Forecaster(Settings(database_url=world.settings.database_url), world.database, reader)


def assert_same(answers: Sequence[Forecast | LatcastError], others: Sequence[Forecast | LatcastError]) -> None:
    """Equal but for the rounding of products in single precision, which depends on how many rows there are."""
    assert len(answers) == len(others)
    for one, other in zip(answers, others, strict=True):
        assert isinstance(one, Forecast), one
        assert isinstance(other, Forecast), other
        assert one.interval_ms is not None
        assert (one.latency_ms, *one.interval_ms) == pytest.approx(
            (other.latency_ms, *(other.interval_ms or ())), rel=1e-6
        )
        assert one.coverage == pytest.approx(other.coverage, abs=1e-6)
        plain = replace(other, latency_ms=one.latency_ms, interval_ms=one.interval_ms, coverage=one.coverage)
        assert one == plain


@pytest.mark.parametrize("space", SPACES)
def test_a_text_has_the_forecast_of_its_graph(forecaster: Forecaster, reader: DirectReader, space: str) -> None:
    architectures = drawn(space, 3)
    answers = forecaster.forecast(TARGET.id, texts(architectures), 0.9)
    assert reader.calls["build"] == 0
    assert_same(answers, forecaster.forecast(TARGET.id, graphs(architectures), 0.9))


def test_long_lists_are_forecast_in_parts(
    forecaster: Forecaster, reader: DirectReader, monkeypatch: pytest.MonkeyPatch
) -> None:
    items = texts(drawn("fbnet", 5))
    whole = forecaster.forecast(TARGET.id, items, 0.9)
    parts = reader.calls["kernels_of_part"]
    monkeypatch.setattr(module, "TEXTS_AT_ONCE", 2)
    assert_same(forecaster.forecast(TARGET.id, items, 0.9), whole)
    assert reader.calls["kernels_of_part"] == parts


def test_a_text_whose_graph_was_measured_without_it_is_measured(
    world: World, forecaster: Forecaster, reader: DirectReader
) -> None:
    agent, (first, second) = world.agent(), drawn("fbnet", 2)
    before = forecaster.forecast(TARGET.id, texts([first, second]), 0.9)
    graph = world.client.upload_graph(get_space("fbnet").to_onnx(first))["hash"]
    world.client.profile(TARGET.id, graphs=[graph])
    job = agent.lease(wait_s=0)
    assert job is not None
    agent.result(job["id"], job["lease_token"], measurement(graph, ms=12.5))
    after = forecaster.forecast(TARGET.id, texts([first, second]), 0.9)
    assert [each.source for each in [*before, *after] if isinstance(each, Forecast)] == [
        "predicted", "predicted", "measured", "predicted",
    ]  # fmt: skip
    assert isinstance(after[0], Forecast)
    assert after[0].latency_ms == pytest.approx(12.5, rel=0.1)
    assert reader.calls["build"] == 1  # the one that has as many operations and nodes as what was measured
    assert_same(after[1:], before[1:])


def test_a_space_whose_chain_fails_is_forecast_by_its_graphs(
    forecaster: Forecaster, reader: DirectReader, monkeypatch: pytest.MonkeyPatch
) -> None:
    items = texts(drawn("fbnet", 2))
    expected = forecaster.forecast(TARGET.id, items, 0.9)

    def chain(_architecture: Architecture) -> None:
        raise RuntimeError("somebody's mistake")

    monkeypatch.setattr(get_space("fbnet"), "chain", chain)
    assert_same(forecaster.forecast(TARGET.id, items, 0.9), expected)
    assert reader.calls["build"] == 2
