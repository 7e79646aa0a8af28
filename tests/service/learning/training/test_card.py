"""Model cards: their tables, what they escape, and the chart of calibration."""

from predictors.artifact import Artifact
from predictors.evaluation.cross_validation import Plan, train
from predictors.testing.workload import default_workload
from service.learning.training.card import calibration_svg, model_card

DATA = {
    "dataset": "d1", "rows_digest": "00ff", "chosen_by": {"seed": 0}, "measurements": 9, "unread": 1,
    "targets": [{"id": "t", "label": "fake 1", "rows": 8, "origin": "", "name": "a|b<script>", "processor": "CPU"}],
    "families": {"graphs": 8},
}  # fmt: skip
JUDGED = {
    "rows": 8, "spearman": 0.5, "median_ape": 0.1234, "within_10": 0.5, "within_20": 0.75, "interval_coverage": 0.9,
}  # fmt: skip


def card(**figures: object) -> str:
    metrics = {"rows": 8, "networks": 8, "fit_s": 1.0, "data": DATA, **figures}
    return model_card(Artifact(kind="flops", hyperparameters={"folds": 5}, arrays={}, metrics=metrics))


def test_a_card_has_data_figures_with_spread_and_recipe() -> None:
    whole = {**JUDGED, "folds": 4, "spread": {"median_ape": 0.01}}
    apart = {**JUDGED, "spearman": None, "folds": 3, "samples": 10, "targets": {"t": JUDGED}}
    text = card(cross_validation=whole, targets={"t": JUDGED}, families={"graphs": JUDGED}, held_out_targets=apart)
    assert "| all | 8 | 0.500 | 12.3% ± 1.0% | 50% | 75% | 90% |" in text
    assert "| all | 8 | – | 12.3% | 50% | 75% | 90% |" in text
    assert "each adapted to 10 of its measurements" in text
    assert "The graphs of 1 of them cannot be read." in text
    assert '"rows_digest": "00ff"' in text
    assert "a\\|b&lt;script>, fake 1" in text


def test_rows_of_targets_that_nobody_can_describe_are_counted() -> None:
    assert "2,000 are left out, of targets that have not measured" in card(data={**DATA, "undescribed": 2000})


def test_nothing_held_out_is_said() -> None:
    assert "Nothing was held out" in card()


def test_the_chart_shows_intervals_or_else_errors() -> None:
    whole = default_workload().train
    data = whole.subset([row for rows in whole.targets().values() for row in rows[:20]])
    with_intervals = calibration_svg(data, train(Plan(kind="flops", folds=2), data))
    assert "Calibration of intervals" in with_intervals
    assert "held-out networks" in with_intervals
    none = calibration_svg(data, train(Plan(kind="flops", folds=0), data))
    assert "nothing was held out" in none
