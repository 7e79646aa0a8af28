"""Episodes are tasks of distinct devices and rows, with labels in the usual range."""

import numpy as np
import pytest
from numpy.testing import assert_allclose

pytest.importorskip("torch")

from latcast.schema import InputError
from predictors.kinds.help.episodes import PORTION, MetaTasks, label_line
from predictors.testing.architectures import architecture_workload


def tasks(support_rows: int = 10, trim: float = 0.0) -> MetaTasks:
    data = architecture_workload(train=60, held_out=40).train
    references = tuple(next(iter(data.evidence.values())).reference_latency_ms)
    return MetaTasks(data, references, trim=trim, support_rows=support_rows)


def test_the_usual_range_lies_within_the_unit() -> None:
    slope, intercept = label_line(2.0, 11.0)
    low, high = ((ms - intercept) / slope for ms in (2.0, 11.0))
    assert (low, high) == (pytest.approx((1 - PORTION) / 2), pytest.approx(1 - (1 - PORTION) / 2))


def test_episodes_have_distinct_devices_and_rows() -> None:
    meta, rng = tasks(), np.random.default_rng(0)
    episodes = list(meta.episodes(rng, 3, devices=2, query_rows=1000, noise=7))
    assert len(episodes) == 3
    for episode in episodes:
        assert episode.support_y.shape == (2, 10)
        assert episode.noise.shape == (2, 7)
        assert episode.query_y.shape[1] >= 1
        assert not (episode.hardware[0] == episode.hardware[1]).all()
        labels = episode.support_y.numpy()
        assert ((labels >= 0) & (labels <= 1)).all()


def test_trimming_leaves_out_both_tails() -> None:
    whole, trimmed = tasks().ranges, tasks(trim=0.1).ranges
    assert whole.keys() == trimmed.keys()
    for name, (low, high) in trimmed.items():
        assert whole[name][0] < low < high < whole[name][1]


def test_embeddings_are_scaled_reference_latencies() -> None:
    for embedding in tasks().embeddings.values():
        assert_allclose([embedding.min(), embedding.max()], [0, 1])


def test_too_few_rows_are_refused() -> None:
    with pytest.raises(InputError, match="more than 500 different latencies"):
        tasks(support_rows=500)
