"""Queries are read as texts of one space, or refused."""

import numpy as np
import pytest

from latcast.schema import Architecture, InputError, Target, UnsupportedGraphError
from predictors.base import LatencyDataset, Query
from predictors.kinds.universal.cells.fbnet_features import FBNET
from predictors.kinds.universal.cells.nasbench201_features import NASBENCH201
from predictors.kinds.universal.cells.queries import common_space, source_rows, texts_of
from predictors.testing import random_graph
from profilers.search_spaces.nasbench201 import NASBench201

TARGET = Target(device="d", backend="imported")


def cells(count: int) -> list[Query]:
    rng = np.random.default_rng(0)
    return [Query(target=TARGET, architecture=NASBench201().sample(rng)) for _ in range(count)]


def graph() -> Query:
    return Query(target=TARGET, graph=random_graph(np.random.default_rng(0)))


def test_texts_are_in_the_order_of_the_queries() -> None:
    queries = cells(4)
    assert texts_of(queries, NASBENCH201) == [query.architecture.text for query in queries if query.architecture]


def test_others_are_refused_and_counted() -> None:
    with pytest.raises(UnsupportedGraphError, match=r"'fbnet' and reads no others; 3 of 3 queries are of nasbench201"):
        texts_of(cells(3), FBNET)
    with pytest.raises(UnsupportedGraphError, match="1 of 3 queries are of graphs"):
        texts_of([*cells(2), graph()], NASBENCH201)


def test_a_space_is_common_to_all_or_none() -> None:
    assert common_space(cells(3)) is NASBENCH201
    assert common_space([*cells(2), graph()]) is None
    assert common_space([graph()]) is None
    elsewhere = Query(target=TARGET, architecture=Architecture(space="zoo", text="plain/stages=2"))
    assert common_space([elsewhere]) is None


def test_degenerate_cells_are_no_rows_of_a_source() -> None:
    nothing = Query(target=TARGET, architecture=NASBench201().at(0))
    queries = [nothing, *cells(30)]
    texts, latency_ms = source_rows(NASBENCH201, LatencyDataset(queries=queries, latency_ms=np.arange(1.0, 32.0)), "t")
    assert nothing.architecture is not None
    assert nothing.architecture.text not in texts
    assert len(texts) == len(latency_ms) <= 30
    assert 1.0 not in latency_ms


def test_too_few_rows_are_refused() -> None:
    few = LatencyDataset(queries=cells(5), latency_ms=np.ones(5))
    with pytest.raises(InputError, match="usable rows; a cost profile takes 10"):
        source_rows(NASBENCH201, few, "t")
