"""Features of cells: what is executed of them."""

import numpy as np
from hypothesis import given
from hypothesis import strategies as st
from predictors.kinds.universal.cells.nasbench201_features import NASBENCH201, cell_codes, connected, executed
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
