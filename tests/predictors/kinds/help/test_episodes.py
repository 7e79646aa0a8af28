"""Episodes are tasks of distinct devices and rows, with labels in the usual range."""

import numpy as np
import pytest
from numpy.testing import assert_allclose

pytest.importorskip("torch")

from latcast.schema import InputError, TargetId
from predictors.kinds.help.episodes import MetaTasks
from predictors.kinds.help.readings import PORTION, CellReading, Networks, TargetRows
from predictors.testing.architectures import architecture_workload


def taught(trim: float = 0.0) -> tuple[Networks, dict[TargetId, TargetRows]]:
    data = architecture_workload(train=60, held_out=40).train
    return CellReading.fit(data).targets(data, trim=trim)


def tasks(support_rows: int = 10) -> MetaTasks:
    networks, targets = taught()
    return MetaTasks(networks.arrays, targets, support_rows=support_rows)


def test_the_usual_range_lies_within_the_unit() -> None:
    for rows in taught()[1].values():
        assert rows.labels.min() == pytest.approx((1 - PORTION) / 2)
        assert rows.labels.max() == pytest.approx(1 - (1 - PORTION) / 2)


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
    whole, trimmed = (
        {target: rows.line.slope * rows.labels + rows.line.intercept for target, rows in taught(trim)[1].items()}
        for trim in (0.0, 0.1)
    )
    assert whole.keys() == trimmed.keys()
    for name, latency_ms in trimmed.items():
        assert whole[name].min() < latency_ms.min() < latency_ms.max() < whole[name].max()


def test_embeddings_are_scaled_reference_latencies() -> None:
    for rows in taught()[1].values():
        assert_allclose([rows.embedding.min(), rows.embedding.max()], [0, 1])


def test_too_few_rows_are_refused() -> None:
    with pytest.raises(InputError, match="more than 500 different latencies"):
        tasks(support_rows=500)
