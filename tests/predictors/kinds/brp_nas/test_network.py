"""BRP-NAS's networks read graphs at their global node, and compare by sums of sides."""

import pytest

torch = pytest.importorskip("torch")

from predictors.kinds.brp_nas.network import BinaryRelation, BrpGcn


def graphs(count: int = 3, nodes: int = 4) -> tuple["torch.Tensor", "torch.Tensor"]:
    torch.manual_seed(0)
    adjacency = torch.eye(nodes).repeat(count, 1, 1)
    adjacency[:, 0] = 1.0  # the global node hears all
    return torch.rand(count, nodes, 5), adjacency


def test_the_order_of_nodes_that_the_global_one_hears_does_not_matter() -> None:
    nodes, adjacency = graphs()
    net = BrpGcn(5, layers=2, width=8, outputs=1).eval()
    order = [0, 3, 1, 2]
    shuffled = net(nodes[:, order], adjacency[:, order][:, :, order])
    torch.testing.assert_close(shuffled, net(nodes, adjacency))
    assert net.embed(nodes, adjacency).shape == (3, 8)


def test_probabilities_of_a_pair_add_up_to_one() -> None:
    net = BinaryRelation(5, layers=2, width=8).eval()
    sides = net.sides(*graphs())
    assert sides.shape == (3, 2, 2)
    logs = net(sides[[0, 1]], sides[[1, 2]])
    torch.testing.assert_close(logs.exp().sum(dim=-1), torch.ones(2))
