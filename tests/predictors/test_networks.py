"""Features stand in place of a graph's record; one that was not read says so."""

import pytest

from latcast.schema import LatcastError, UnsupportedGraphError
from predictors.networks import RECORD, GraphFeatures

READ = GraphFeatures(hash="g1-x", flops=3, size=1, features={("flat",): 7, RECORD: UnsupportedGraphError("too odd")})


def test_a_feature_is_what_was_read() -> None:
    assert READ.feature(("flat",)) == 7


def test_a_feature_that_could_not_be_read_is_its_error() -> None:
    with pytest.raises(UnsupportedGraphError, match="too odd"):
        READ.feature(RECORD)


def test_a_feature_that_nobody_asked_for_is_an_error_of_the_predictor() -> None:
    with pytest.raises(LatcastError, match="capabilities do not name"):
        READ.feature(("kernels", 3, "fp32", 0))
