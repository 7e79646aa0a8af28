"""MnasNet's space: the conformance suite, and the network of the paper."""

from profilers.onnx_graph import load_graph
from profilers.search_spaces import get_space
from profilers.search_spaces.mnasnet import MnasNet
from profilers.testing.search_spaces import SearchSpaceSuite

A1 = "r224|k3,e1,n1,s0|k3,e6,n2,s0|k5,e3,n3,s1|k3,e6,n4,s0|k3,e6,n2,s1|k5,e6,n3,s1|k3,e6,n1,s0"


class TestMnasNet(SearchSpaceSuite):
    space = MnasNet()
    malformed = ("r224|k3,e1,n1,s0", A1.replace("k5", "k7"))
    samples = 4
    runs = 1


def test_mnasnet_a1_is_as_large_as_in_the_paper() -> None:
    space = get_space("mnasnet")
    graph = load_graph(space.to_onnx(space.parse(A1)))
    assert 3.0e8 < graph.macs < 3.3e8  # the paper says 312 million
    assert 3.7e6 < graph.parameter_bytes / 4 < 4.0e6  # and 3.9 million parameters


def test_the_size_follows_from_the_fields() -> None:
    assert MnasNet().size == 4 * 48**7
