"""Units of work: what they are, how they are told apart, and contenders out of texts."""

from typing import Any

import pytest

from latcast.schema import InputError, UnknownNameError
from predictors.evaluation.nas import Contender, Task, plan

TASK = Task(name="T", space="nasbench201", sources=("1080ti_1", "samsung_s7"), targets=("raspi4", "fpga"))
TREES = Contender(kind="boosted_trees", hyperparameters={"trees": 5, "folds": 2, "boosters": 1})


def units(**changes: Any) -> list[Any]:
    settings: dict[str, Any] = {"samplers": ["random"], "shots": [20], "seeds": 2, "protocol": "full"}
    return plan([TASK], [TREES], source_samples=60, **{**settings, **changes})


def test_other_settings_do_not_reuse_results() -> None:
    keys = {unit.key for todo in (units(), units(shots=[10]), units(protocol="help")) for unit in todo}
    assert len(keys) == 6


def test_slow_predictors_share_trainings_among_seeds() -> None:
    todo = plan([TASK], [Contender(kind="help")], samplers=["random"], shots=[20], seeds=5, protocol="full",
                source_samples=None)  # fmt: skip
    assert [unit.seeds for unit in todo] == [(0, 2, 4), (1, 3)]
    assert {unit.samples for unit in todo} == {900}
    once = plan([TASK], [TREES], samplers=["random"], shots=[20], seeds=3, protocol="full", source_samples=None,
                trainings=1)  # fmt: skip
    assert [unit.seeds for unit in once] == [(0, 1, 2)]


def test_contenders_are_parsed_and_checked() -> None:
    contender = Contender.parse("boosted_trees:trees=5,reads=architecture")
    assert contender.hyperparameters == {"trees": 5, "reads": "architecture"}
    assert Contender.parse(contender.label) == contender
    with pytest.raises(UnknownNameError, match="boosted_trees"):
        Contender.parse("boosted_tree")
    with pytest.raises(InputError, match="leafs"):
        Contender.parse("boosted_trees:leafs=3")


def test_source_samples_come_from_the_caller_the_task_or_the_default() -> None:
    prescribed = Task(name="P", space="fbnet", sources=("a",), targets=("b",), source_samples=4000)
    settings: dict[str, Any] = {"samplers": ["random"], "shots": [20], "seeds": 1, "protocol": "help"}
    for asked, expected in ((None, [900, 4000]), (60, [60, 60])):
        assert [
            unit.samples for unit in plan([TASK, prescribed], [TREES], source_samples=asked, **settings)
        ] == expected


def test_a_contender_makes_predictors_with_its_hyperparameters() -> None:
    predictor = TREES.make(seed=3)
    assert {name: predictor.hyperparameters()[name] for name in ("trees", "folds", "seed")} == {
        "trees": 5, "folds": 2, "seed": 3
    }  # fmt: skip
    assert units()[0].label == "T boosted_trees:trees=5,folds=2,boosters=1 training 0"
