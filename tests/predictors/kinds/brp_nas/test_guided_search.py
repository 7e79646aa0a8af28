"""BRP-NAS's search: trains only what keeps the limits, and finds better than chance."""

import numpy as np
import pytest

pytest.importorskip("torch", reason="the extra [torch] is not installed")

from latcast.schema import InputError
from predictors.kinds.brp_nas.guided_search import guided_search
from predictors.kinds.brp_nas.ranker import Ranker
from predictors.testing.architectures import architecture_workload

POOL = architecture_workload().train.subset(range(200))
VALUES = -np.log(POOL.latency_ms)
ALLOWED = np.arange(200) % 3 > 0


def small() -> Ranker:
    return Ranker(loss="hinge", layers=2, width=32, epochs=25, learning_rate=5e-3, dropout=0.0)


def test_only_what_is_allowed_is_trained_once_and_the_best_are_found() -> None:
    asked: list[int] = []

    def value_of(places: list[int]) -> list[float]:
        asked.extend(places)
        return [float(VALUES[place]) for place in places]

    found = guided_search(
        POOL.queries, value_of, allowed=ALLOWED, make_ranker=small, first=20, rounds=2, best=8, exploring=4
    )
    assert len(asked) == len(set(asked)) == 20 + 2 * 12
    assert ALLOWED[asked].all()
    assert found.places.tolist() == asked
    assert found.best == asked[int(np.argmax(VALUES[asked]))]
    best = np.sort(VALUES[ALLOWED])[::-1]
    assert VALUES[found.best] >= best[2]
    chosen, random = VALUES[found.places[20:]], VALUES[found.places[:20]]
    assert chosen.mean() > random.mean()


def test_too_few_candidates_are_said() -> None:
    with pytest.raises(InputError, match="only 134 keep the limits"):
        guided_search(POOL.queries, lambda places: [0.0] * len(places), allowed=np.arange(200) < 134, rounds=6)
