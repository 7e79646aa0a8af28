"""HELP's networks: second-order gradients, modulation, samples."""

import pytest

pytest.importorskip("torch", reason="the extra [torch] is not installed")
import torch
from predictors.kinds.help.network import HelpNet, MetaLearner, Modulator


def test_the_outer_gradient_is_of_second_order() -> None:
    torch.manual_seed(0)
    learner = MetaLearner(3, graph=False, embedding=2, width=4, inner_rate=0.1, inner_steps=2, modulation=0.01,
                          divergence_weight=0.0).double()  # fmt: skip
    x, y, hardware = torch.randn(6, 3).double(), torch.randn(6).double(), torch.rand(2).double()

    def adapted_loss() -> torch.Tensor:
        parameters = learner.adapted(dict(learner.net.named_parameters()), hardware, (x,), y)
        return learner._loss(parameters, hardware, (x,), y)

    weight = learner.net.joint3.weight
    (exact,) = torch.autograd.grad(adapted_loss(), weight)
    step, numeric = 1e-6, torch.zeros_like(weight)
    for index in range(weight.numel()):
        with torch.no_grad():
            weight.view(-1)[index] += step
            above = adapted_loss()
            weight.view(-1)[index] -= 2 * step
            below = adapted_loss()
            weight.view(-1)[index] += step
        numeric.view(-1)[index] = (above - below) / (2 * step)
    torch.testing.assert_close(exact, numeric, rtol=1e-4, atol=1e-7)


def learner(graph: bool = False) -> MetaLearner:
    torch.manual_seed(1)
    return MetaLearner(3, graph=graph, embedding=2, width=4, inner_rate=0.1, inner_steps=2, modulation=0.5,
                       divergence_weight=0.1)  # fmt: skip


def test_adapting_lowers_the_error_on_the_support() -> None:
    meta = learner()
    x, y, hardware = torch.randn(8, 3), torch.randn(8), torch.rand(2)
    initial = dict(meta.net.named_parameters())
    adapted = meta.adapted(initial, hardware, (x,), y)
    assert meta._loss(adapted, hardware, (x,), y) < meta._loss(initial, hardware, (x,), y)


def test_modulation_scales_weights_and_moves_biases_of_the_joint_layers_alone() -> None:
    meta = learner()
    initial = dict(meta.net.named_parameters())
    changed = meta.modulator.apply_to(initial, torch.ones(meta.modulator.size), scale=0.5)
    for name, value in initial.items():
        joint = name.split(".")[0] in HelpNet.modulated
        expected = value if not joint else value * 1.5 if name.endswith("weight") else value + 0.5
        torch.testing.assert_close(changed[name], expected)


def test_the_divergence_of_a_standard_normal_is_zero() -> None:
    modulator = Modulator(embedding=2, width=4)
    size = modulator.size
    assert modulator.divergence(torch.zeros(size), torch.ones(size)) == 0
    assert modulator.divergence(torch.ones(size), torch.ones(size)) == pytest.approx(size / 2)


def test_forecasts_are_means_over_samples_of_the_modulation() -> None:
    meta = learner()
    x, y, hardware = torch.randn(5, 3), torch.randn(5), torch.rand(2)
    noise = torch.randn(3, meta.modulator.size)
    stacked = meta.adapt_samples(hardware, (x,), y, noise)
    together = meta.forecast(stacked, hardware, (x,))
    singles = [
        meta.forecast({name: value[i : i + 1] for name, value in stacked.items()}, hardware, (x,)) for i in range(3)
    ]
    torch.testing.assert_close(together, torch.stack(singles).mean(dim=0))


def test_architectures_are_read_as_graphs_or_as_vectors() -> None:
    nodes, adjacency = torch.rand(2, 4, 3), torch.eye(4).expand(2, 4, 4)
    assert learner(graph=True).net((nodes, adjacency), torch.rand(2)).shape == (2,)
    assert learner().net((torch.rand(2, 3),), torch.rand(2)).shape == (2,)
