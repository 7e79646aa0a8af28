"""MAPLE's regressor reads an architecture beside a descriptor."""

import pytest

torch = pytest.importorskip("torch")

from predictors.kinds.maple.network import MapleNet


def test_one_latency_for_each_pair() -> None:
    net = MapleNet(5, width=8, layers=2)
    assert net(torch.rand(4, 3), torch.rand(4, 2)).shape == (4,)
    assert sum(isinstance(layer, torch.nn.Linear) for layer in net.body) == 3


def test_architecture_and_descriptor_both_count() -> None:
    torch.manual_seed(0)
    net = MapleNet(5, width=8)
    architecture, descriptor = torch.rand(1, 3), torch.rand(1, 2)
    base = net(architecture, descriptor)
    assert net(architecture + 1, descriptor) != base
    assert net(architecture, descriptor + 1) != base
