"""Features of chains: their blocks, and quantities of these."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from predictors.kinds.universal.cells.fbnet_features import FBNET, block_quantities
from profilers.onnx_graph import load_graph
from latcast.schema import InvalidArchitectureError
from profilers.search_spaces.fbnet import FBNet


@given(st.integers(0, 2**32 - 1))
@settings(max_examples=5, deadline=None)
def test_quantities_of_blocks_are_those_of_the_network(seed: int) -> None:
    rng, space = np.random.default_rng(seed), FBNet()
    pair = [space.sample(rng) for _ in range(2)]
    work = FBNET.features([item.text for item in pair]) @ block_quantities()[:, :3].sum(axis=1)
    macs = [load_graph(space.to_onnx(item)).macs for item in pair]
    assert work[0] - work[1] == macs[0] - macs[1]


@pytest.mark.parametrize("text", ["", "k3_e1|skip", "|".join(["k3_e1"] * 21 + ["k7_e1"]), "|".join(["skip"] * 23)])
def test_texts_of_no_chain_are_refused(text: str) -> None:
    with pytest.raises(InvalidArchitectureError):
        FBNET.features([text])


def test_indices_of_blocks_are_the_blocks() -> None:
    indices = [7, 8, 1, 8, 4, 8, 8, 8, 7, 4, 1, 4, 7, 3, 2, 7, 3, 2, 4, 2, 4, 5]
    named, listed = FBNET.features([FBNet().from_operators(indices).text, str(indices)])
    assert (named == listed).all()
