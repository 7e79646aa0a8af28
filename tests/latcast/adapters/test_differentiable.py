"""Expected latency with gradients, TuNAS's reward, and descent over FBNet's positions to a budget on a real device."""

import os
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from latcast.adapters import differentiable
from latcast.adapters.differentiable import absolute_reward
from latcast.schema import InputError

torch = pytest.importorskip("torch")

TABLE: dict[str, Any] = {
    "overhead_ms": 1.0,
    "positions": [
        {"name": "a", "options": [{"name": "x", "cost_ms": 0.0}, {"name": "y", "cost_ms": 2.0}]},
        {
            "name": "b",
            "options": [
                {"name": "x", "cost_ms": 0.5}, {"name": "y", "cost_ms": None}, {"name": "z", "cost_ms": 3.0},
            ],
        },
    ],
}  # fmt: skip


def test_the_expectation_is_linear_and_its_gradients_are_the_costs() -> None:
    module = differentiable.ExpectedLatency(TABLE)
    weights = [torch.tensor([0.5, 0.5], requires_grad=True), torch.tensor([0.0, 0.0, 1.0], requires_grad=True)]
    expected = module(weights)
    assert expected.item() == pytest.approx(1.0 + 1.0 + 3.0)
    expected.backward()
    assert weights[0].grad.tolist() == [0.0, 2.0]
    assert weights[1].grad.tolist() == [0.5, 3.0, 3.0]  # what nobody has seen is not taken for cheap
    assert set(module.state_dict()) == {"costs_ms", "overhead_ms"}


def test_weights_have_to_fit() -> None:
    with pytest.raises(InputError, match="row for each position"):
        differentiable.ExpectedLatency(TABLE)(torch.ones(2, 2))
    with pytest.raises(AttributeError, match="no attribute"):
        differentiable.nothing  # noqa: B018


def test_the_absolute_reward_is_best_at_the_limit() -> None:
    latencies = torch.tensor([8.0, 10.0, 12.0])
    rewards = absolute_reward(torch.full((3,), 0.7), latencies, 10.0, beta=-0.5)
    assert rewards.tolist() == pytest.approx([0.6, 0.7, 0.6])
    with pytest.raises(InputError, match="negative beta"):
        absolute_reward(0.7, 8.0, 10.0, beta=0.5)


@pytest.mark.skipif("LATCAST_DATA" not in os.environ, reason="needs the public tables, named by LATCAST_DATA")
def test_descent_over_fbnet_meets_a_budget_on_a_device_of_the_tables() -> None:
    """The table is learnt from half of the device's networks; sums learnt from the other half are the judge."""
    from predictors.data.importers.help import read_table
    from predictors.inference.additive_costs import fit_costs
    from profilers.search_spaces import get_space

    space, rows = get_space("fbnet"), read_table(Path(os.environ["LATCAST_DATA"]), "fbnet")
    choices = np.array([space.choices(one) for one in rows.architectures])
    options = [len(position.options) for position in space.positions()]
    device_ms, half = rows.column("raspi4"), np.arange(len(choices)) % 2 == 0
    learnt, judge = (fit_costs(choices[part], options, device_ms[part]) for part in (half, ~half))
    assert learnt.explained > 0.9
    table = {
        "overhead_ms": learnt.overhead_ms,
        "positions": [
            {"name": "", "options": [{"name": "", "cost_ms": cost} for cost in costs]} for costs in learnt.costs_ms
        ],
    }
    found = descend(table, limit_ms := float(np.quantile(device_ms, 0.3)))
    judged_ms = judge.overhead_ms + sum(costs[option] for costs, option in zip(judge.costs_ms, found, strict=True))
    assert 0.9 * limit_ms < judged_ms < 1.03 * limit_ms


def descend(table: dict[str, Any], limit_ms: float) -> list[int]:
    """Options of the largest expansion that keep the limit, by TuNAS's reward and temperature that falls."""
    module, logits = differentiable.ExpectedLatency(table), torch.zeros(22, 9, requires_grad=True)
    quality = torch.tensor([1.0, 1.0, 3.0, 6.0, 1.2, 1.2, 3.2, 6.2, 0.0])
    optimiser = torch.optim.Adam([logits], lr=0.05)
    for step in range(600):
        weights = torch.softmax(logits / max(0.05, 1 - step / 500), dim=1)
        over = torch.relu(module(weights) / (0.99 * limit_ms) - 1)
        loss = -(weights * quality).sum(dim=1).mean() + 200 * over
        optimiser.zero_grad()
        loss.backward()
        optimiser.step()
    return [int(place) for place in logits.argmax(dim=1)]
