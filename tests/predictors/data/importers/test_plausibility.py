"""Remarks on columns that look wrong, and none on columns as public tables have them."""

import numpy as np
import pytest

from latcast.schema import Architecture, Target
from predictors.data.importers.plausibility import remarks_on, two_clusters
from predictors.data.importers.records import BACKEND, Column
from tests.predictors.tables import published_data

RNG = np.random.default_rng(0)


def column(ms: np.ndarray) -> Column:
    target = Target(device="phone", backend=BACKEND, options={"space": "zoo"})
    return Column(
        target=target, architectures=[Architecture(space="zoo", text=str(i)) for i in range(len(ms))], latency_ms=ms
    )


def test_plain_columns_get_no_remark() -> None:
    assert remarks_on([column(RNG.lognormal(2, 0.6, 200))], unit="ms") == []
    assert remarks_on([column(np.full(5, 0.001))], unit="ms") == [], "five rows say nothing"


def test_units() -> None:
    (seconds,) = remarks_on([column(RNG.lognormal(-5, 0.3, 50))], unit="ms")
    assert "phone (zoo): half of its latencies are below" in seconds
    assert "--unit s?" in seconds
    (nanoseconds,) = remarks_on([column(RNG.lognormal(15, 0.3, 50))], unit="ms")
    assert "--unit us or ns?" in nanoseconds


def test_two_clusters_have_nothing_between_and_a_tail_is_none() -> None:
    low, high = RNG.lognormal(1, 0.2, 60), RNG.lognormal(4.4, 0.2, 60)
    found = two_clusters(np.concatenate([low, high]))
    assert found == pytest.approx((np.median(low), np.median(high)))
    assert two_clusters(np.concatenate([low, [500.0, 600.0]])) is None
    assert two_clusters(np.array([1.0, 9.0])) is None


@pytest.mark.slow
def test_public_tables_get_no_remark() -> None:
    from predictors.data.importers import import_help

    imported = import_help(published_data())
    by_target: dict[str, list[float]] = {}
    for query, ms in zip(imported.dataset.queries, imported.dataset.latency_ms, strict=True):
        by_target.setdefault(query.target.id, []).append(float(ms))
    assert len(by_target) > 50
    assert remarks_on([column(np.array(ms)) for ms in by_target.values()], unit="ms") == []
