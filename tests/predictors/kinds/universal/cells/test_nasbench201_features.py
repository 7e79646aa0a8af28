"""Features of cells: what is executed of them."""

import numpy as np
from hypothesis import given, settings
from hypothesis import strategies as st
from predictors.kinds.universal.cells.nasbench201_features import (
    NASBENCH201,
    cell_codes,
    connected,
    executed,
    live,
    needed,
)
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


@settings(deadline=None)
@given(st.lists(st.sampled_from(CELLS), min_size=1, max_size=5))
def test_a_cell_has_one_operator_an_edge(texts: list[str]) -> None:
    x = NASBENCH201.features(texts)
    assert x.shape == (len(texts), 84)
    assert (x[:, NASBENCH201.places].sum(axis=1) == 6).all()
    operators = np.array([NASBench201().encode(NASBench201().parse(text))["operators"] for text in texts])
    assert (x[:, 0] == (operators == 1).sum(axis=1)).all()


def test_what_is_needed_and_what_lives_is_what_the_space_says() -> None:
    space = NASBench201()
    lives = np.array([space.encode(space.at(index))["live"] for index in range(0, len(CELLS), 7)])
    assert (live(CODES[::7]) == lives.astype(bool)).all()
    assert (needed(CODES) | ~live(CODES)).all()


def column(text: str, name: str) -> list[float]:
    factor = (NASBENCH201.factors | NASBENCH201.rule_factors)[name]
    return [float(value) for value in NASBENCH201.features([text])[0] @ factor]


def test_columns_of_what_an_exported_cell_has() -> None:
    # Node 1 is zero and needed; two poolings and two convolutions begin at the input, one convolution at node 1.
    text = "|none~0|+|avg_pool_3x3~0|nor_conv_3x3~1|+|nor_conv_1x1~0|none~1|skip_connect~2|"
    none, skip, one, three, pool, sums, real_sums, zero, pools, activations = column(text, "needed")
    assert (none, skip, one, three, pool) == (2, 1, 1, 1, 1)
    assert (sums, real_sums, zero, pools, activations) == (3, 2, 1, 1, 2)
    assert column(text, "live") == [1, 1, 0, 1, 1]


def test_an_earlier_version_has_the_first_columns() -> None:
    before = NASBENCH201.as_of("universal-1")
    assert before.features(CELLS[:3]).tolist() == NASBENCH201.features(CELLS[:3])[:, :68].tolist()
    assert {factor.shape[0] for factor in before.factors.values()} == {68}
    assert before.rules == (("counts",),)
    assert NASBENCH201.as_of("universal-2") is NASBENCH201
