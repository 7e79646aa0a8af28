"""The reference sampler chooses alike on every target."""

from copy import copy

import numpy as np

from predictors.base import Query
from predictors.data.splits import query_key
from predictors.kinds.flops import FlopsPredictor
from predictors.samplers.reference import ReferenceSampler
from predictors.testing import DEVICES
from tests.predictors.samplers.cells import cells


def test_references_are_the_same_on_every_target() -> None:
    here = cells(30)
    there = [Query(target=DEVICES[0].target, architecture=query.architecture) for query in reversed(here)]
    chosen = ReferenceSampler().choose(here, 5, rng=np.random.default_rng(0))
    again = ReferenceSampler().choose(there, 5, rng=np.random.default_rng(1))
    assert [here[index].architecture for index in chosen] == [there[index].architecture for index in again]


def test_references_of_a_predictor_come_first(candidates: list[Query], predictor: FlopsPredictor) -> None:
    describing = copy(predictor)
    describing.references_ = (query_key(candidates[7]), "elsewhere")  # type: ignore[attr-defined]
    rng = np.random.default_rng(0)
    assert ReferenceSampler().choose(candidates, 3, predictor=describing, rng=rng)[0] == 7
