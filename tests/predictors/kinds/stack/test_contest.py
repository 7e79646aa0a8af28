"""Records of contenders, and standings as JSON."""

import pytest
from predictors.kinds.flops import FlopsPredictor
from predictors.kinds.stack.contest import Standing, record_of
from predictors.registry import pretrained


def test_the_record_of_a_trained_predictor_is_in_its_figures() -> None:
    assert record_of(pretrained("universal-nasbench201")) == pytest.approx(0.034)
    assert record_of(FlopsPredictor()) is None


def test_standings_survive_as_plain_values() -> None:
    standing = Standing(name="a", kind="flops", record=None, weight=0.3, median_ape=0.1, refused="")
    assert Standing.from_plain(standing.to_plain()) == standing
