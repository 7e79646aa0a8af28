"""A graph convolution sums what nodes send, without normalising by degree."""

import pytest

torch = pytest.importorskip("torch")

from predictors.kinds.graph_convolution import GraphConvolution


def test_messages_follow_the_adjacency() -> None:
    layer = GraphConvolution(2, 3)
    nodes = torch.rand(1, 3, 2)
    adjacency = torch.tensor([[[1.0, 1.0, 0.0], [0.0, 1.0, 0.0], [0.0, 0.0, 0.0]]])
    out = layer(nodes, adjacency)
    own = nodes @ layer.weight
    torch.testing.assert_close(out[0, 0], own[0, 0] + own[0, 1] + layer.bias)
    torch.testing.assert_close(out[0, 1], own[0, 1] + layer.bias)
    torch.testing.assert_close(out[0, 2], layer.bias.detach())


@pytest.mark.parametrize(("bound", "largest"), [(None, 0.1), (0.05, 0.05)])
def test_weights_start_within_their_bound(bound: float | None, largest: float) -> None:
    layer = GraphConvolution(50, 100, weight_bound=bound)
    assert 0.9 * largest < layer.weight.abs().max() <= largest
    assert layer.bias.abs().max() <= 0.1
