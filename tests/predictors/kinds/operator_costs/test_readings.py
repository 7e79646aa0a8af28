"""What is executed of an architecture, by every reading of its space."""

import numpy as np
import pytest

from predictors.evaluation.nas.odd_devices import PRUNING, OddDevice
from predictors.kinds.operator_costs.readings import READINGS, readings_of
from profilers.search_spaces import get_space

RNG = np.random.default_rng(0)


@pytest.mark.parametrize("space", list(READINGS))
def test_places_have_operators_and_work_of_usual_size(space: str) -> None:
    texts = [get_space(space).sample(RNG).text for _ in range(50)]
    for reading in readings_of(space):
        counts = reading.counts(texts)
        assert counts.shape == (50, len(reading.operators)) == (50, len(reading.work))
        assert (counts >= 0).all()
        assert reading.operators.min() == 0
        assert set(reading.operators.tolist()) == set(range(int(reading.operators.max()) + 1))
        assert reading.work.mean(axis=0) == pytest.approx(np.ones(reading.work.shape[1]))
        assert (reading.work >= 0).all()


@pytest.mark.parametrize(("place", "pruning"), list(enumerate(PRUNING)))
def test_each_reading_of_cells_is_what_one_kind_of_runtime_executes(place: int, pruning: str) -> None:
    reading, space = readings_of("nasbench201")[place], get_space("nasbench201")
    cells = [one for one in (space.sample(RNG) for _ in range(400)) if not space.is_degenerate(one)]
    texts, costs = [cell.text for cell in cells], 1 + np.arange(6.0)
    device = OddDevice(name="odd", space="nasbench201", costs=tuple(costs), overhead=0.0, mean_ms=1.0, pruning=pruning)
    executed = reading.counts(texts) @ np.where(reading.operators == 5, 0.3 * costs[5], costs[reading.operators])
    ratio = device.latency_ms(texts, RNG) / executed
    assert ratio == pytest.approx(np.full(len(texts), ratio[0]))


def test_a_block_that_does_nothing_has_no_work() -> None:
    (reading,) = readings_of("fbnet")
    skipped = reading.operators == 8
    assert (reading.work[skipped].sum(axis=1) == 0).any(), "between equal shapes"
    assert (reading.work[~skipped] > 0).all()
