"""Which measurements a training counts, and what goes with them."""

from dataclasses import replace

import numpy as np
import pytest

from latcast.schema import Architecture, DeviceEvidence, InputError, Target
from predictors.base import Capabilities, LatencyDataset, Query
from predictors.features.references import reference_key
from predictors.testing.graphs import random_graph
from profilers.search_spaces import get_space
from profilers.search_spaces.zoo.references import reference_networks
from service.db import tables
from service.jobs.payloads import TrainPayload
from service.learning.training.rows import (
    REFERENCES,
    choose_rows,
    families,
    groups,
    needs_references,
    references_describe,
    with_references,
)
from tests.service.helpers import CELL, OTHER_TARGET, TARGET, World, add_import

GRAPHS = Capabilities(inputs=frozenset({"graph"}))
CELLS = Capabilities(
    inputs=frozenset({"architecture"}), spaces=("nasbench201",), evidence=frozenset({"reference_latency_ms"})
)


@pytest.fixture
def database_url(new_sqlite: str) -> str:
    """SQLite alone."""
    return new_sqlite


def chosen(world: World, capabilities: Capabilities, **asked: object) -> list[int]:
    with world.database.read() as session:
        return choose_rows(session, TrainPayload(predictor="x", **asked), capabilities)  # type: ignore[arg-type]


def test_each_network_of_our_own_counts_once_and_tables_do_where_asked(measured: World) -> None:
    imported = add_import(measured)
    own = chosen(measured, GRAPHS)
    assert len(own) == 5
    assert chosen(measured, GRAPHS, targets=(TARGET.id,)) == own
    assert len(chosen(measured, GRAPHS, tables=True)) == 6
    assert len(chosen(measured, GRAPHS, targets=(imported,))) == 1
    assert len(chosen(measured, CELLS)) == 1, "who reads architectures alone learns from tables"
    assert len(chosen(measured, GRAPHS, rows_per_target=2)) == 2


@pytest.mark.slow
def test_kinds_that_compare_devices_by_references_learn_from_graphs_or_from_tables(measured: World) -> None:
    either = replace(CELLS, inputs=frozenset({"architecture", "graph"}), evidence=frozenset(),
                     any_evidence=frozenset({"microbench", "reference_latency_ms"}))  # fmt: skip
    add_import(measured)
    own = chosen(measured, GRAPHS)
    table = chosen(measured, CELLS)
    assert chosen(measured, either) == own
    assert chosen(measured, either, spaces=("nasbench201",)) == table
    assert chosen(measured, either, tables=True) == sorted([*own, *table])
    measured.client.hide("targets", TARGET.id)
    assert chosen(measured, either) == table, "where nothing was measured here, tables are there"
    with pytest.raises(InputError, match="no measurement to learn from"):
        chosen(measured, either, tables=False)


def test_what_is_left_out_and_when_nothing_is_left(measured: World) -> None:
    with measured.database.write.begin() as session:
        for number, row in enumerate(session.query(tables.Measurement).order_by(tables.Measurement.id)):
            row.created_unix_s = 1000.0 + number
    assert len(chosen(measured, GRAPHS, since_unix_s=1003.0)) == 2
    for asked, said in (
        ({"since_unix_s": 1e9}, "since then"),
        ({"spaces": ("fbnet",)}, "spaces fbnet"),
        ({"targets": (OTHER_TARGET.id,), "tables": False}, f"targets {OTHER_TARGET.id}"),
    ):
        with pytest.raises(InputError, match=said):
            chosen(measured, GRAPHS, **asked)


def cells(count: int) -> list[Architecture]:
    space, rng = get_space("nasbench201"), np.random.default_rng(1)
    drawn = {space.sample(rng).text for _ in range(4 * count)}
    return [Architecture(space="nasbench201", text=text) for text in sorted(drawn)[:count]]


def test_references_are_measured_everywhere_and_reach_the_output() -> None:
    architectures = cells(30)
    targets = [Target(device=name, backend="imported", origin="table") for name in ("a", "b")]
    queries = [Query(target=target, architecture=one) for target in targets for one in architectures]
    data = LatencyDataset(queries=queries[:-5], latency_ms=np.arange(1.0, 56.0))
    filled = with_references(data, seed=0)
    keys = [set(filled.evidence[target.id].reference_latency_ms) for target in targets]
    assert len(keys[0]) == REFERENCES
    assert keys[0] == keys[1] <= {reference_key(one) for one in architectures[:-5]}
    space = get_space("nasbench201")
    assert not any(space.is_degenerate(one) for one in architectures if reference_key(one) in keys[0])
    first = filled.evidence[targets[0].id].reference_latency_ms
    assert all(
        first[reference_key(one)] == row for row, one in enumerate(architectures, 1) if reference_key(one) in first
    )
    assert needs_references(CELLS)
    assert not needs_references(GRAPHS)


def test_networks_without_a_text_are_no_references() -> None:
    graphs = [random_graph(np.random.default_rng(seed)) for seed in range(3)]
    architectures = cells(30)
    targets = [Target(device=name, backend="fake") for name in ("a", "b")]
    queries = [Query(target=target, graph=graph) for target in targets for graph in graphs]
    queries += [Query(target=target, architecture=one) for target in targets for one in architectures]
    filled = with_references(LatencyDataset(queries=queries, latency_ms=np.arange(1.0, 67.0)), seed=0)
    keys = set(filled.evidence[targets[1].id].reference_latency_ms)
    assert len(keys) == REFERENCES
    assert keys <= {reference_key(one) for one in architectures}
    none = with_references(LatencyDataset(queries=queries[:6], latency_ms=np.arange(1.0, 7.0)), seed=0)
    assert none.evidence[targets[0].id].reference_latency_ms == {}


def test_networks_of_the_zoo_that_are_meant_for_it_come_first() -> None:
    fixed, others = list(reference_networks()), cells(20)
    queries = [Query(target=one, architecture=each) for one in targets_of(2) for each in [*others, *fixed[:7]]]
    filled = with_references(LatencyDataset(queries=queries, latency_ms=np.arange(1.0, 55.0)), seed=0)
    chosen = list(filled.evidence[queries[0].target.id].reference_latency_ms)
    assert chosen[:7] == [reference_key(one) for one in fixed[:7]]
    assert set(chosen[7:]) <= {reference_key(one) for one in others}
    assert len(chosen) == REFERENCES


def test_a_target_without_references_is_left_out_where_they_are_necessary() -> None:
    first, second, third = targets_of(3)
    queries = [Query(target=target, architecture=one) for target in (first, second) for one in cells(20)]
    queries += [Query(target=third, architecture=one) for one in cells(9)]
    data = LatencyDataset(queries=queries, latency_ms=np.arange(1.0, 50.0))
    described = with_references(data, seed=0, necessary=True)
    assert set(described.targets()) == {first.id, second.id}
    assert {len(described.evidence[one.id].reference_latency_ms) for one in (first, second)} == {REFERENCES}
    assert third.id not in described.evidence
    anyway = with_references(data, seed=0)
    assert len(anyway) == len(data)
    assert 2 <= len(anyway.evidence[first.id].reference_latency_ms) < REFERENCES
    few = data.subset(data.targets()[third.id])
    assert len(with_references(few, seed=0, necessary=True)) == len(few), "where none has ten, all stay"


def test_references_describe_where_some_target_has_no_other_evidence() -> None:
    first, second = targets_of(2)
    queries = [Query(target=target, architecture=one) for target in (first, second) for one in cells(3)]
    described = {"conv": 1.0}
    both = {one.id: DeviceEvidence(microbench=described) for one in (first, second)}
    data = LatencyDataset(queries=queries, latency_ms=np.arange(1.0, 7.0), evidence=both)
    any_of = frozenset({"counters", "microbench", "reference_latency_ms"})
    either, alone = replace(GRAPHS, any_evidence=any_of), CELLS
    assert not references_describe(data, either)
    assert references_describe(replace(data, evidence={first.id: both[first.id]}), either)
    assert references_describe(data, alone)
    assert not references_describe(data, replace(GRAPHS, any_evidence=any_of - {"reference_latency_ms"}))
    assert not references_describe(replace(data, evidence={}), GRAPHS)


def targets_of(count: int) -> list[Target]:
    return [Target(device=name, backend="fake") for name in "abc"[:count]]


def test_a_network_has_one_group_wherever_it_was_measured() -> None:
    query = Query(target=TARGET, architecture=Architecture(space="nasbench201", text=CELL))
    other = Query(target=replace(TARGET, threads=2), architecture=query.architecture)
    zoo = Query(target=TARGET, architecture=get_space("zoo").sample(np.random.default_rng(0)))
    assert groups([query, other]) == [f"nasbench201:{CELL}"] * 2
    assert families([query])[0] == "nasbench201"
    assert families([zoo])[0].startswith("zoo/")
