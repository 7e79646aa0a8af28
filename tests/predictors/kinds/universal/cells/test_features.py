"""Features of cells and chains: what is executed, and quantities of blocks."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from predictors.kinds.universal.cells.fbnet_features import FBNET, block_quantities
from predictors.kinds.universal.cells.nasbench201_features import NASBENCH201, cell_codes, connected, executed
from profilers.onnx_graph import load_graph
from latcast.schema import InvalidArchitectureError
from profilers.search_spaces.fbnet import FBNet
from profilers.search_spaces.nasbench201 import NASBench201

CELLS = list(NASBench201().all())
CODES = cell_codes(CELLS)


def test_connected_is_not_degenerate() -> None:
    space = NASBench201()
    degenerate = np.array([space.is_degenerate(space.at(index)) for index in range(len(CELLS))])
    assert (connected(CODES) == ~degenerate).all()
    assert (NASBENCH201.measurable(CELLS) == ~degenerate).all()


def test_what_is_executed_is_part_of_the_cell() -> None:
    kept = executed(CODES)
    assert not kept[~connected(CODES)].any()
    complete = (CODES > 0).all(axis=1)
    assert kept[complete].all()


@given(st.lists(st.sampled_from(CELLS), min_size=1, max_size=5))
def test_a_cell_has_one_operator_an_edge(texts: list[str]) -> None:
    x = NASBENCH201.features(texts)
    assert x.shape == (len(texts), 68)
    assert (x[:, NASBENCH201.places].sum(axis=1) == 6).all()
    operators = np.array([NASBench201().encode(NASBench201().parse(text))["operators"] for text in texts])
    assert (x[:, 0] == (operators == 1).sum(axis=1)).all()


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


def test_no_texts_no_rows() -> None:
    assert FBNET.features([]).shape == (0, 198)
    assert NASBENCH201.features([]).shape == (0, 68)
