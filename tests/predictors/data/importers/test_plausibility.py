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
    assert "--unit ns?" in nanoseconds
    (microseconds,) = remarks_on([column(RNG.lognormal(9, 0.3, 50))], unit="ms")
    assert "which looks like another unit: --unit us?" in microseconds


def test_cells_that_were_measured_under_several_texts_are_said_to_be_one_network() -> None:
    texts = [
        "|nor_conv_3x3~0|+|avg_pool_3x3~0|none~1|+|none~0|skip_connect~1|nor_conv_1x1~2|",
        "|avg_pool_3x3~0|+|nor_conv_3x3~0|none~1|+|none~0|nor_conv_1x1~1|skip_connect~2|",
        "|nor_conv_3x3~0|+|none~0|none~1|+|none~0|nor_conv_1x1~1|none~2|",
    ]
    target = Target(device="phone", backend=BACKEND, options={"space": "nasbench201"})
    architectures = [Architecture(space="nasbench201", text=text) for text in texts]
    told = Column(target=target, architectures=architectures, latency_ms=np.array([2.0, 2.5, 9.0]))
    (sentence,) = remarks_on([told], unit="ms")
    assert sentence.startswith(f"phone (nasbench201): 2 of its texts build 1 network, as {texts[0]} and {texts[1]} do")
    assert "their latencies differ by 25%" in sentence


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
