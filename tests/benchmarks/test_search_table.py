"""HELP's search table: what is picked, verified and told, on figures by hand."""

import numpy as np
import pytest

from benchmarks.search_table import (
    METHODS,
    VERIFY,
    Forecast,
    described,
    first_sure,
    key,
    markdown,
    probabilities,
    verified,
)

SPREAD = np.full(3, 0.05)


def test_the_most_accurate_that_is_sure_is_picked() -> None:
    said = Forecast(np.array([12.0, 9.0, 5.0]), SPREAD)
    kept = probabilities(said, 10.0)
    assert kept[1] == pytest.approx(0.9824, abs=1e-3)  # Φ(ln(10 / 9) / 0.05)
    assert first_sure(kept) == 1
    assert first_sure(probabilities(said, 1.0)) is None


def test_what_is_measured_to_keep_the_limit_wins_over_what_is_trusted() -> None:
    said = Forecast(np.array([10.0, 9.9, 5.0]), SPREAD)
    assert verified(said, np.array([10.5, 9.8, 5.0]), 10.0, measurements=2) == 1
    assert verified(said, np.array([10.5, 9.8, 5.0]), 10.0, measurements=1) == 2
    without_claims = Forecast(np.array([10.0, 9.9, 5.0]), np.zeros(3))
    assert verified(without_claims, np.array([11.0, 11.0, 5.0]), 10.0, measurements=2) == 2


def test_what_keeps_no_limit_counts_as_nothing() -> None:
    found: dict[str, list[int | None]] = {key(name, more): [0, 1] for name in METHODS for more in VERIFY}
    found |= {"sure": [0, 1], key("universal", VERIFY[0]): [1, 1]}
    row = described("fpga", 4, found, np.array([5.0, 3.0]), np.array([73.0, 71.0]))
    assert row["best"] == 71.0
    count = {"candidates": 10.0, "kept": 9.0}
    shown = markdown({"rows": [row], "accepted": count, "accepted_near_the_limit": count})
    assert "| fpga | 4 | 3.8 / 70.2 | yes | 4.0 / 72.0 | 1 of 2 | 71.0 |" in shown
    assert "35.50" in shown
    assert "accepted: 9 of 10" in shown
    assert "| 10 | 1 (1) | 1 (1) | 1 (1) |" in shown
    assert "| 20 | 0 (1) | 0 (1) | 0 (1) |" in shown
