"""Candidates and a predictor for the tests of samplers."""

import pytest

from predictors.base import Query
from predictors.kinds.flops import FlopsPredictor
from predictors.testing.workload import default_workload


@pytest.fixture(scope="module")
def candidates() -> list[Query]:
    return list(default_workload().new_held_out.queries[:120])


@pytest.fixture(scope="module")
def predictor() -> FlopsPredictor:
    return FlopsPredictor().fit(default_workload().train)
