"""What comes next in a campaign, and what a log says is done."""

from pathlib import Path

import pytest

from latcast.schema import Architecture, Device, Failure, InputError, Measurement, ProcessRun, ProfileSettings
from profilers.campaign.lane import Lane
from profilers.campaign.log import CampaignLog, Check, Note, Row
from profilers.campaign.steps import Recipe, Step
from profilers.campaign.turns import TURN_STEPS, Turns

DEVICE = Device(fingerprint="f", name="here", machine="x86_64", processor="p", physical_cores=1, logical_cores=1,
                memory_bytes=2**30)  # fmt: skip
RECIPE = Recipe(only=("kernels/gemm", "kernels/unary"))


@pytest.fixture
def lane() -> Lane:
    return Lane(ProfileSettings(backend="fake"), DEVICE)


def row(lane: Lane, architecture: Architecture, *, failed: bool = False) -> Row:
    failure = Failure(stage="run", message="No.") if failed else None
    runs = () if failed else (ProcessRun(samples_ms=(1.0,)),)
    measurement = Measurement(
        graph=f"g-{architecture.text}", target=lane.target, settings=lane.quick, runs=runs, failure=failure
    )
    return Row(architecture=architecture, measurement=measurement)


def test_turns_go_on_in_one_sequence_for_all_targets(lane: Lane) -> None:
    turns, other = Turns(RECIPE), Lane(ProfileSettings(backend="fake", threads=2), DEVICE)
    first, second = turns.undone(lane), turns.undone(lane)
    assert len(first) == TURN_STEPS
    assert turns.undone(other) == first
    assert turns.undone(other) == second
    assert lane.place == other.place == 2 * TURN_STEPS


def test_what_is_done_is_passed_by(lane: Lane) -> None:
    steps = Turns(RECIPE).undone(Lane(ProfileSettings(backend="fake", threads=2), DEVICE))
    turns = Turns(RECIPE)
    turns.add(lane, row(lane, steps[0].architecture))
    turns.add(lane, row(lane, steps[1].architecture, failed=True))
    turn = turns.undone(lane)
    assert {steps[0], steps[1]}.isdisjoint(turn)
    assert Step(architecture=steps[2].architecture) in turn
    assert lane.measured == {steps[0].architecture: 1}


def test_a_log_is_remembered(lane: Lane, tmp_path: Path) -> None:
    gemm, unary = (Architecture(space="kernels", text=text) for text in ("gemm", "unary"))
    with CampaignLog(tmp_path) as log:
        log.append(Note(target=lane.target, device=DEVICE))
        for architecture in (gemm, unary, unary):
            log.append(row(lane, architecture))
        log.append(Check(target=lane.target.id, before_ms=1.0, after_ms=2.0, graphs=("g-gemm",)))
    Turns(RECIPE).remember(tmp_path, [lane])
    assert (lane.measured[gemm], lane.measured[unary]) == (0, 2)
    assert (lane.noted, lane.described) == (True, False)


def test_what_was_measured_least_often_is_measured_again(lane: Lane) -> None:
    turns = Turns(RECIPE)
    often = [Architecture(space="kernels", text=f"gemm/rows={number}") for number in range(1, TURN_STEPS)]
    once = Architecture(space="kernels", text="unary")
    for architecture in (*often, *often, once):
        turns.add(lane, row(lane, architecture))
    turn = turns.once_more(lane)
    assert turn[0] == Step(architecture=once)
    assert len(turn) == TURN_STEPS


def test_nothing_can_be_measured_again_where_nothing_was(lane: Lane) -> None:
    with pytest.raises(InputError, match="Nothing like kernels/gemm, kernels/unary"):
        Turns(RECIPE).once_more(lane)


def test_a_recipe_that_nothing_fits_is_refused() -> None:
    with pytest.raises(InputError, match="No family fits"):
        Turns(Recipe(only=("nothing/*",)))
