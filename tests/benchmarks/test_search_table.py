"""HELP's search table: what is picked, verified and told, on figures by hand."""

import numpy as np
import pytest

from benchmarks.search_table import (
    METHODS,
    SPACE,
    TOTALS,
    Candidates,
    Forecast,
    Forecaster,
    described,
    first_sure,
    key,
    markdown,
    probabilities,
    searched,
)
from predictors.base import FloatArray, LatencyDataset, Query
from predictors.data.importers.help import target_of
from profilers.search_spaces import get_space

SPREAD = np.full(3, 0.05)


def test_the_most_accurate_that_is_sure_is_picked() -> None:
    said = Forecast(np.array([12.0, 9.0, 5.0]), SPREAD)
    kept = probabilities(said, 10.0)
    assert kept[1] == pytest.approx(0.9824, abs=1e-3)  # Φ(ln(10 / 9) / 0.05)
    assert first_sure(kept) == 1
    assert first_sure(probabilities(said, 1.0)) is None


CELLS = [get_space(SPACE).sample(np.random.default_rng(seed)) for seed in range(3)]
CANDIDATES = Candidates(architectures=CELLS, accuracy=np.array([73.0, 72.0, 60.0]), macs=np.ones(3), rows=np.arange(3))


def support(size: int) -> LatencyDataset:
    query = Query(target=target_of(SPACE, "fpga"), architecture=CELLS[0])
    return LatencyDataset(queries=[query] * size, latency_ms=np.ones(size))


def says(median_ms: list[float], spread: FloatArray) -> Forecaster:
    """A method that forecasts the same whatever it is told."""
    return lambda _told: Forecast(np.array(median_ms), spread)


def test_what_promises_most_is_measured_and_wins_over_what_is_trusted() -> None:
    say = says([10.0, 9.9, 5.0], SPREAD)
    picks = searched(say, support(10), CANDIDATES, np.array([10.5, 9.8, 5.0]), 10.0)
    assert picks == {10: 2, 11: 1, 12: 1, 15: 1, 20: 1}  # the second keeps the limit, the first would not
    without_claims = says([9.5, 9.9, 5.0], np.zeros(3))
    picks = searched(without_claims, support(10), CANDIDATES, np.array([11.0, 11.0, 5.0]), 10.0)
    assert set(picks.values()) == {2}


def test_a_method_learns_from_what_it_chose() -> None:
    def say(told: LatencyDataset) -> Forecast:
        return Forecast(np.array([10.0, 9.9, 5.0]) * (1.0 if len(told) == 9 else 0.5), SPREAD)

    picks = searched(say, support(9), CANDIDATES, np.array([10.5, 5.0, 2.5]), 10.0)
    assert picks[10] == 0, "the second was measured, and told that all are twice as fast"


def test_what_keeps_no_limit_counts_as_nothing() -> None:
    found: dict[str, list[int | None]] = {key(name, total): [0, 1] for name in METHODS for total in TOTALS}
    found |= {"sure": [0, 1], key("universal", TOTALS[0]): [1, 1]}
    row = described("fpga", 4, found, np.array([5.0, 3.0]), np.array([73.0, 71.0]))
    assert row["best"] == 71.0
    count = {"candidates": 10.0, "kept": 9.0}
    shown = markdown({"rows": [row], "accepted": count, "accepted_near_the_limit": count})
    assert "| fpga | 4 | 3.8 / 70.2 | yes | 4.0 / 72.0 | 1 of 2 | 3.0 / 71.0 | 2 of 2 | 71.0 |" in shown
    assert "35.50" in shown
    assert "accepted: 9 of 10" in shown
    assert "| 10 | 1 (1) | 1 (1) | 1 (1) |" in shown
    assert "| 20 | 0 (1) | 0 (1) | 0 (1) |" in shown
