"""Judging a base predictor: held-out networks and families, and the card that has the figures."""

from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from benchmarks.base_training import MAIN_TARGET, Judged, Measured, judge, judge_on_main_target, make, write_card
from latcast.schema import UnknownNameError
from predictors.base import Prediction
from predictors.testing import DEVICES, measure, random_graph


@pytest.fixture(scope="module")
def measured() -> Measured:
    """Sixty networks of two families on two devices; the rows of the first device are of the main target."""
    rng = np.random.default_rng(0)
    data = measure([random_graph(rng) for _ in range(60)], DEVICES[:2], rng)
    main = [query.target.device == DEVICES[0].name for query in data.queries]
    return Measured(
        dataset=data,
        families=np.array(["zoo/plain", "zoo/mobile"] * 60),
        labels=np.array([f"runtime {MAIN_TARGET}" if one else "other" for one in main]),
        networks=np.arange(len(data)),
        difference=0.03,
        machines=("a machine",),
    )


def test_figures_are_over_all_rows_or_a_mask() -> None:
    forecast = Prediction(median_ms=np.array([1.1, 2.0, 6.0]), log_std=np.full(3, 0.1))
    judged = Judged(rows=np.arange(3), measured=np.array([1.0, 2.0, 3.0]), forecast=forecast)
    assert judged.figures()["rows"] == 3
    part = judged.figures(np.array([True, True, False]))
    assert (part["rows"], part["mape"]) == (2, pytest.approx(0.05))
    silent = replace(judged, forecast=Prediction(median_ms=forecast.median_ms, log_std=None))
    assert "interval_coverage" not in silent.figures()


def test_every_network_is_judged_once_and_the_card_says_how(
    measured: Measured, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    figures = judge(measured, "flops:folds=2", 0, workers=1)
    assert figures["known"]["rows"] == 60, "rows of the main target"
    assert {name: part["rows"] for name, part in figures["known_by_target"].items()} == {
        "other": 60, f"runtime {MAIN_TARGET}": 60
    }  # fmt: skip
    assert set(figures["known_by_family"]) == {"zoo/plain", "zoo/mobile"}
    assert figures["families"]["rows"] == 60
    assert figures["families_told"]["rows"] == 2 * 3 * (30 - 10), "families × supports × networks left"
    assert "folds judged" in capsys.readouterr().out
    write_card(tmp_path / "flops-base.md", measured, "flops", figures, 4_300_000)
    card = (tmp_path / "flops-base.md").read_text()
    assert card.startswith("# flops-base\n")
    assert (
        f"| held-out networks, family and target in training | 60 | {100 * figures['known']['median_ape']:.1f} %"
        in card
    )
    assert "120 rows of the measured data set" in card
    assert "takes 4.3 MB" in card
    assert "four folds;" in card
    some = {name: part for name, part in figures.items() if name.startswith("known")} | {"judged_folds": 2}
    write_card(tmp_path / "flops-base.md", measured, "flops", some, 4_300_000)
    card = (tmp_path / "flops-base.md").read_text()
    assert "four folds, of which 2 were judged;" in card
    assert "| held-out networks, family and target in training | 60 |" in card
    assert "eld-out families" not in card


def test_kinds_are_checked() -> None:
    assert make("flops:folds=3", 7).hyperparameters() == {"folds": 3, "seed": 7}
    with pytest.raises(UnknownNameError):
        make("flop", 0)


def test_the_main_target_is_judged_by_its_own_rows_alone(measured: Measured) -> None:
    figures = judge_on_main_target(measured, "flops:folds=2", 0, workers=1)
    assert figures["rows"] == 60
    assert len(figures["seconds"]) == 4
    main = np.flatnonzero(measured.main)
    alone = replace(
        measured,
        dataset=measured.dataset.subset(main),
        families=measured.families[main],
        labels=measured.labels[main],
        networks=np.arange(len(main)),
    )
    figures.pop("seconds")
    again = judge_on_main_target(alone, "flops:folds=2", 0, workers=1)
    again.pop("seconds")
    assert figures == again
