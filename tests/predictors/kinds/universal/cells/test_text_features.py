"""Spaces out of fields are read by `universal` as they are, on devices of which a few latencies are measured."""

import numpy as np

from latcast.schema import Target
from predictors.base import LatencyDataset, Query
from predictors.kinds.universal import UniversalPredictor
from predictors.kinds.universal.cells.text_features import text_features
from profilers.search_spaces import get_space

SPACE = get_space("mnasnet")


def rows(device: int, count: int, *, seed: int) -> LatencyDataset:
    """Latencies that are sums over the places, whose costs devices share but for a part of their own."""
    rng = np.random.default_rng(seed)
    drawn = [SPACE.sample(rng) for _ in range(count)]
    hot = np.array([SPACE.encode(one)["one_hot"] for one in drawn])
    shared = np.random.default_rng(0).lognormal(0, 0.7, hot.shape[1])
    own = shared * np.random.default_rng(device).lognormal(0, 0.2, hot.shape[1])
    target = Target(device=f"d{device}", backend="b")
    return LatencyDataset(
        queries=[Query(target=target, architecture=one) for one in drawn], latency_ms=(hot @ own) * (1 + device)
    )


def test_it_learns_from_devices_and_adapts_with_few_rows() -> None:
    sources = [rows(device, 120, seed=device) for device in (1, 2, 3)]
    training = LatencyDataset(
        queries=[query for part in sources for query in part.queries],
        latency_ms=np.concatenate([part.latency_ms for part in sources]),
    )
    support, rest = rows(4, 20, seed=10), rows(4, 200, seed=11)
    base = UniversalPredictor(seed=0).fit(training)
    assert base.fitted_capabilities().spaces == ("mnasnet",)
    adapted = base.adapt(support.queries[0].target, support)
    again = UniversalPredictor.from_artifact(adapted.to_artifact())
    for predictor in (adapted, again):
        error = np.abs(predictor.predict(rest.queries).median_ms / rest.latency_ms - 1)
        assert np.median(error) < 0.05


def test_other_spaces_have_none() -> None:
    assert text_features("zoo") is None
    assert text_features("nobody's") is None
    features = text_features("mnasnet")
    assert features is not None
    assert features.features([SPACE.example]).sum() == 1 + 4 * 7
