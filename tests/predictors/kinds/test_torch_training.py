"""The training loop of the torch models: schedules, early stopping, seeds, arrays."""

import numpy as np
import pytest

pytest.importorskip("torch", reason="the extra [torch] is not installed")

import torch
from torch import Tensor, nn

from predictors.kinds.torch_training import Training, load_parameters, minibatches, seeded, stored_parameters, train
from latcast.schema import ArtifactError, InputError

X = torch.linspace(-1, 1, 40)[:, None]
Y = 3 * X + 1


def fitted(**settings: object) -> tuple[nn.Linear, float, list[str]]:
    reports: list[str] = []
    with seeded(0):
        net = nn.Linear(1, 1)
    rng = np.random.default_rng(0)
    options = {"epochs": 60, "learning_rate": 0.1, **settings}
    value = train(
        net,
        lambda: minibatches(len(X), 8, rng),
        lambda rows: ((net(X[rows]) - Y[rows]) ** 2).mean(),
        Training(**options),  # type: ignore[arg-type]
        progress=lambda _, what: reports.append(what),
    )
    return net, value, reports


@pytest.mark.parametrize("schedule", ["constant", "plateau", "cosine"])
def test_every_schedule_fits_a_line(schedule: str) -> None:
    net, value, reports = fitted(schedule=schedule)
    assert value < 1e-3
    assert net.weight.item() == pytest.approx(3, abs=0.1)
    assert len(reports) == 60
    assert not net.training


def test_it_stops_when_nothing_improves_and_keeps_the_best() -> None:
    net, scores = nn.Linear(1, 1), iter([3.0, 1.0, 2.0, 2.0, 2.0, 2.0])
    states: list[Tensor] = []

    def score() -> float:
        states.append(net.weight.detach().clone())
        return next(scores)

    training = Training(epochs=99, learning_rate=0.1, stop_after=3)
    value = train(net, lambda: [0], lambda _: net(X).square().mean(), training, score=score)
    assert len(states) == 5
    assert value == 1.0
    torch.testing.assert_close(net.weight.detach(), states[1])


def test_frozen_parameters_stay() -> None:
    net = nn.Sequential(nn.Linear(1, 2), nn.Linear(2, 1))
    net[0].requires_grad_(False)
    before = net[0].weight.clone()
    train(
        net,
        lambda: [0],
        lambda _: (net(X) - Y).square().mean(),
        Training(epochs=3, learning_rate=0.1, weight_decay=0.1),
    )
    torch.testing.assert_close(net[0].weight, before)


def test_a_loss_that_is_not_a_number_and_unknown_schedules_are_refused() -> None:
    net = nn.Linear(1, 1)
    with pytest.raises(InputError, match="converge"):
        train(net, lambda: [0], lambda _: net(X).sum() * float("nan"), Training(epochs=2, learning_rate=0.1))
    with pytest.raises(InputError, match="schedule"):
        fitted(schedule="magic")


def test_an_epoch_has_every_row_once() -> None:
    rows = torch.cat(list(minibatches(23, 5, np.random.default_rng(0))))
    assert sorted(rows.tolist()) == list(range(23))


def test_seeds_do_not_leak() -> None:
    torch.manual_seed(5)
    expected = torch.rand(1)
    torch.manual_seed(5)
    with seeded(1):
        inside = torch.rand(1)
    assert torch.rand(1) == expected
    with seeded(1):
        assert torch.rand(1) == inside


def test_parameters_survive_an_artifact() -> None:
    net, other = nn.Linear(2, 3), nn.Linear(2, 3)
    arrays = stored_parameters(net, "net.")
    load_parameters(other, arrays, "net.")
    torch.testing.assert_close(other.weight, net.weight)
    for broken in ({}, {**arrays, "net.weight": np.zeros((1, 2), np.float32)}):
        with pytest.raises(ArtifactError, match="weight"):
            load_parameters(other, broken, "net.")
