"""Synthetic devices: what they cost is a formula, and no source suggests it."""

import numpy as np
import pytest

from latcast.schema import InputError
from predictors.data.importers.help import LatencyTable
from predictors.evaluation.nas import SUITES
from predictors.evaluation.nas.odd_devices import PRUNING, OddDevice, draw_devices, with_odd_devices
from profilers.search_spaces.fbnet import OPERATORS, POSITIONS, FBNet
from profilers.search_spaces.nasbench201 import NASBench201

RNG = np.random.default_rng(0)


def cell(*operators: int) -> str:
    return NASBench201().from_choices(operators).text


def device(pruning: str, **changes: object) -> OddDevice:
    settings = {"name": "odd", "space": "nasbench201", "costs": (1.0, 2.0, 4.0, 8.0, 16.0, 0.0), "overhead": 0.0,
                "mean_ms": 1.0, "pruning": pruning} | changes  # fmt: skip
    return OddDevice(**settings)  # type: ignore[arg-type]


DANGLING = cell(3, 0, 4, 1, 0, 0)
"""A convolution and a pooling whose results nothing needs, and a skip from input to output."""

FED_BY_NOTHING = cell(0, 2, 0, 1, 3, 4)
"""A convolution of a node that is zero; the skip and the path through node 2 live."""

PLAIN = cell(1, 0, 0, 1, 1, 0)


@pytest.mark.parametrize(
    ("pruning", "dangling", "fed_by_nothing"),
    [("nothing", 8 + 1 + 16 + 2 + 1 + 1, 1 + 4 + 1 + 2 + 8 + 16), ("unused", 2 + 1 + 1, 1 + 4 + 1 + 2 + 8 + 16),
     ("dead", 2, 4 + 2 + 16)],
)  # fmt: skip
def test_runtimes_differ_in_what_they_leave_out(pruning: str, dangling: float, fed_by_nothing: float) -> None:
    latency = device(pruning).latency_ms([DANGLING, FED_BY_NOTHING], RNG)
    assert latency[0] / latency[1] == pytest.approx(dangling / fed_by_nothing)


def test_additions_count_where_several_edges_meet() -> None:
    free = device("dead", costs=(0.0, 1.0, 0.0, 0.0, 0.0, 10.0))
    latency = free.latency_ms([PLAIN, cell(0, 0, 0, 1, 0, 0)], RNG)
    assert latency[0] / latency[1] == pytest.approx((3 + 0.3 * 10) / 1)


@pytest.mark.parametrize("space", ["nasbench201", "fbnet"])
def test_costs_lie_within_two_orders_and_more_devices_leave_the_first_as_they_are(space: str) -> None:
    devices = draw_devices(space, 8, seed=3)
    assert devices[:3] == draw_devices(space, 3, seed=3)
    costs = np.array([one.costs for one in devices])
    assert costs.min() >= 0.01
    assert costs.max() <= 1
    assert np.median(costs.max(axis=1) / costs.min(axis=1)) > 10
    assert {one.pruning for one in devices} == (set(PRUNING) if space == "nasbench201" else {"nothing"})


def test_a_dear_block_of_fbnet_costs_by_its_work_at_every_position() -> None:
    costs = [0.01] * len(OPERATORS) + [1.0, 1.0, 1.0]
    plain = OddDevice(name="odd", space="fbnet", costs=tuple(costs), overhead=0, mean_ms=1)
    costs[2] = 1.0
    dear = OddDevice(name="odd", space="fbnet", costs=tuple(costs), overhead=0, mean_ms=1)
    others, one = ("|".join([OPERATORS[kind]] * POSITIONS) for kind in (3, 2))
    ratios = [np.divide(*device.latency_ms([one, others], RNG)) for device in (dear, plain)]
    assert ratios[0] / ratios[1] == pytest.approx(100)
    assert FBNet().parse(one).text == one


def test_a_coarse_clock_counts_whole_steps_and_noise_is_relative() -> None:
    texts = [NASBench201().sample(RNG).text for _ in range(400)]
    exact = device("nothing", overhead=0.2).latency_ms(texts, RNG)
    noisy = device("nothing", overhead=0.2, noise_log=0.02).latency_ms(texts, RNG)
    assert np.std(np.log(noisy / exact)) == pytest.approx(0.02, rel=0.2)
    steps = np.unique(device("nothing", overhead=0.2, rounded=True, noise_log=0.02).latency_ms(texts, RNG))
    ratio = steps / np.diff(steps).min()
    assert np.allclose(ratio, np.round(ratio))


def test_a_table_keeps_its_columns_beside_the_odd_ones() -> None:
    cells = [NASBench201().sample(RNG) for _ in range(5)]
    table = LatencyTable(space="nasbench201", architectures=cells, latency_ms={"board": np.ones(5)}, references=(1,))
    wider = with_odd_devices(table, draw_devices("nasbench201", 2, seed=0), seed=0)
    assert list(wider.latency_ms) == ["board", "odd-0", "odd-1"]
    assert wider.references == (1,)


def test_the_suite_has_quiet_and_noisy_devices_of_both_spaces() -> None:
    tasks = SUITES["odd"]
    assert {(task.space, task.noise_log > 0) for task in tasks} == {
        (space, noisy) for space in ("nasbench201", "fbnet") for noisy in (False, True)
    }
    assert all(set(task.targets) == {f"odd-{index}" for index in range(task.odd)} for task in tasks)


def test_other_spaces_have_no_odd_devices() -> None:
    with pytest.raises(InputError, match="nasbench201 and fbnet"):
        draw_devices("ofa_mbv3", 1, seed=0)
