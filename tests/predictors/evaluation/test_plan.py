"""What is trained: the predictor of a plan, unfitted."""

import pytest

from latcast.schema import UnknownNameError
from predictors.evaluation.plan import Plan
from predictors.kinds.flops import FlopsPredictor


def test_the_predictor_has_the_plans_seed_and_hyperparameters() -> None:
    made = Plan(kind="flops", hyperparameters={"folds": 3}, seed=7).construct()
    assert isinstance(made, FlopsPredictor)
    assert made.hyperparameters() == {"folds": 3, "seed": 7}


def test_what_a_kind_does_not_have_is_named() -> None:
    with pytest.raises(UnknownNameError, match="flop"):
        Plan(kind="flop").construct()
    with pytest.raises(UnknownNameError, match=r"^Unknown hyperparameter of flops 'depth'\. Known: folds\.$"):
        Plan(kind="flops", hyperparameters={"depth": 3}).construct()
    with pytest.raises(UnknownNameError, match=r"boosted_trees 'tree'\. Did you mean 'trees'\?"):
        Plan(kind="boosted_trees", hyperparameters={"tree": 3, "leaves": 4}).construct()
