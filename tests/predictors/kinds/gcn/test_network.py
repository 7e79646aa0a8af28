"""The network: graphs of any sizes side by side, and bounds of the variance."""

from dataclasses import replace

import numpy as np
import pytest

pytest.importorskip("torch_geometric", reason="the extra [torch] is not installed")

import torch

from predictors.kinds.gcn.arrays import EDGE_FEATURES, GLOBAL_FEATURES, NODE_FEATURES, GraphArrays
from predictors.kinds.gcn.network import CONVOLUTIONS, HIGHEST, LOWEST, GraphNet, batch_of


def chain(nodes: int) -> GraphArrays:
    rng = np.random.default_rng(nodes)
    return GraphArrays(
        operators=rng.integers(0, 5, nodes),
        nodes=rng.standard_normal((nodes, len(NODE_FEATURES))),
        sources=np.arange(nodes - 1),
        sinks=np.arange(1, nodes),
        edges=rng.standard_normal((nodes - 1, len(EDGE_FEATURES))),
        share=np.full(nodes, 1 / nodes),
        whole=rng.standard_normal(len(GLOBAL_FEATURES)),
    )


@pytest.mark.parametrize("convolution", CONVOLUTIONS)
def test_a_batch_is_its_graphs(convolution: str) -> None:
    torch.manual_seed(0)
    net = GraphNet(5, layers=2, width=8, convolution=convolution).double().eval()
    graphs = [chain(1), chain(7), chain(10_000)]
    with torch.no_grad():
        together = net(batch_of(graphs, torch.float64))
        alone = [net(batch_of([graph], torch.float64)) for graph in graphs]
    for values, singles in zip(together, zip(*alone, strict=True), strict=True):
        torch.testing.assert_close(values, torch.cat(singles), rtol=1e-9, atol=1e-9)


def test_the_variance_has_bounds() -> None:
    torch.manual_seed(0)
    net = GraphNet(5, layers=1, width=8, convolution="sage").eval()
    far = replace(chain(4), whole=np.full(len(GLOBAL_FEATURES), 1e6))
    with torch.no_grad():
        _, log_variance = net(batch_of([chain(4), far], torch.float32))
    assert ((log_variance >= LOWEST) & (log_variance <= HIGHEST)).all()


@pytest.mark.parametrize("convolution", CONVOLUTIONS)
def test_the_latency_of_graphs_side_by_side_is_the_sum_of_theirs(convolution: str) -> None:
    torch.manual_seed(0)
    net = GraphNet(5, layers=3, width=8, convolution=convolution).double().eval()
    torch.nn.init.normal_(net.time[-1].weight)
    left, right = chain(4), chain(9)
    both = GraphArrays(
        operators=np.concatenate([left.operators, right.operators]),
        nodes=np.concatenate([left.nodes, right.nodes]),
        sources=np.concatenate([left.sources, right.sources + 4]),
        sinks=np.concatenate([left.sinks, right.sinks + 4]),
        edges=np.concatenate([left.edges, right.edges]),
        share=np.concatenate([0.3 * left.share, 0.7 * right.share]),
        whole=left.whole,
    )
    with torch.no_grad():
        apart, _ = net(batch_of([left, right], torch.float64))
        together, _ = net(batch_of([both], torch.float64))
    expected = 0.3 * apart[0].exp() + 0.7 * apart[1].exp()
    assert abs(float(apart[0] - apart[1])) > 0.1
    torch.testing.assert_close(together[0].exp(), expected)


def test_an_untrained_network_says_what_the_roofline_says() -> None:
    net = GraphNet(5, layers=2, width=8, convolution="sage").double().eval()
    with torch.no_grad():
        mean, _ = net(batch_of([chain(6)], torch.float64))
    assert float(mean[0]) == pytest.approx(0.0, abs=1e-12)
