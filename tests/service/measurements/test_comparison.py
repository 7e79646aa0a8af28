"""Two targets compared: by networks that both have, by family, and by operator."""

from dataclasses import replace

import numpy as np
import pytest
from sqlalchemy.orm import Session

from latcast.schema import KernelTiming, Target
from service.db import records, tables
from service.measurements.columns import TargetColumns, loaded
from service.measurements.comparison import compared
from tests.service.helpers import OTHER_TARGET, TARGET, World, measurement

NO_KERNELS = replace(TARGET, threads=8)


def kernel(operator: str, ms: float) -> KernelTiming:
    return KernelTiming(
        operator=operator, share=0.5, time_ms=ms, node=None, input_shapes=(), output_shapes=(), dtype=""
    )


def store(session: Session, graph: str, target: Target, ms: float, kernels: dict[str, float] | None) -> None:
    """A measurement as an agent reports it."""
    found = measurement(graph, target=target, ms=ms)
    timed = None if kernels is None else tuple(kernel(name, time) for name, time in kernels.items())
    runs = tuple(replace(run, kernels=timed if place == 0 else None) for place, run in enumerate(found.runs))
    session.add(records.measurement_row(replace(found, runs=runs)))


@pytest.fixture
def both(world: World) -> tuple[World, list[str]]:
    """Three networks on two targets: there they take 3, 4 and 8 times as long; two have kernels on both."""
    world.agent([TARGET, OTHER_TARGET, NO_KERNELS])
    graphs = [world.graph(width) for width in (3, 4, 5)]
    with world.database.write.begin() as session:
        for graph, ms, factor in zip(graphs, (1.0, 2.0, 4.0), (3.0, 4.0, 8.0), strict=True):
            timed = graph != graphs[2]
            store(session, graph, TARGET, ms, {"MatMul": ms / 2, "Relu": ms / 2})
            there = (
                {"FusedMatMul": factor * ms / 8, "Gemm": factor * ms / 8, "Relu": factor * ms * 3 / 4}
                if timed
                else None
            )
            store(session, graph, OTHER_TARGET, factor * ms, there)
        store(session, graphs[0], NO_KERNELS, 1.0, None)
    return world, graphs


def columns_of(session: Session, *targets: Target) -> list[TargetColumns]:
    return [loaded(session, target.id) for target in targets]


def test_networks_on_both_are_compared(both: tuple[World, list[str]]) -> None:
    world, _ = both
    with world.database.read() as session:
        found = compared(session, *columns_of(session, TARGET, OTHER_TARGET))
    assert (found.networks, found.ratio, found.spearman) == (3, pytest.approx(4.0), 1.0)
    assert found.near == pytest.approx(1 / 3)
    assert [pair.ranks for pair in found.pairs] == [(1, 1), (2, 2), (3, 3)]
    assert [pair.ms[1] / pair.ms[0] for pair in found.pairs] == pytest.approx([3.0, 4.0, 8.0])


def test_an_operator_that_is_dear_on_one_of_them_is_told(both: tuple[World, list[str]]) -> None:
    world, _ = both
    with world.database.read() as session:
        found = compared(session, *columns_of(session, TARGET, OTHER_TARGET))
    assert found.kernel_networks == 2
    relu, matmul = found.operators
    assert (relu.name, relu.count, relu.shares) == ("Relu", 2, (pytest.approx(0.5), pytest.approx(0.75)))
    assert relu.ratio == pytest.approx(np.median([4.5, 6.0]))
    assert relu.relative == pytest.approx(relu.ratio / 3.5)
    assert (matmul.name, matmul.relative) == ("MatMul", pytest.approx(np.median([1.5, 2.0]) / 3.5))


def test_kernels_come_from_the_newest_row_that_has_them(both: tuple[World, list[str]]) -> None:
    world, graphs = both
    with world.database.write.begin() as session:
        store(session, graphs[0], TARGET, 1.0, None)  # measured again, without kernels
        store(session, graphs[1], TARGET, 2.0, {"MatMul": 1.8, "Relu": 0.2})
    with world.database.read() as session:
        found = compared(session, *columns_of(session, TARGET, OTHER_TARGET))
    assert found.kernel_networks == 2
    assert {one.name: one.ratio for one in found.operators}["Relu"] == pytest.approx(np.median([4.5, 6.0 / 0.2]))


def test_targets_that_have_nothing_in_common(both: tuple[World, list[str]]) -> None:
    world, _ = both
    with world.database.read() as session:
        here, there = columns_of(session, TARGET, NO_KERNELS)
        some, none = compared(session, here, there), compared(session, here, loaded(session, "none"))
    assert (some.networks, some.spearman, some.kernel_networks, some.operators) == (1, None, 0, [])
    assert (none.networks, none.ratio, none.near, none.pairs, none.moved) == (0, None, None, [], [])


def test_hidden_rows_are_not_compared(both: tuple[World, list[str]]) -> None:
    world, graphs = both
    answer = world.http.post("/v1/measurements/hide", json={"graph": graphs[2]})
    assert answer.json()["rows"] == 2
    found = world.http.get("/v1/compare", params={"a": TARGET.id, "b": OTHER_TARGET.id}).json()
    assert (found["networks"], found["ratio"]) == (2, pytest.approx(3.5))
    assert {pair["graph"] for pair in found["moved"]} == set(graphs[:2])
    with world.database.read() as session:
        assert session.get(tables.Target, TARGET.id) is not None
