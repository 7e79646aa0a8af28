"""Architectures as layers, chains and graphs."""

from itertools import pairwise

import numpy as np
import pytest

from latcast.schema import Architecture, Graph, InputError, Target, UnsupportedGraphError
from predictors.base import Query
from predictors.features import cells
from predictors.features.cells import (
    brp_graph,
    cell_architectures,
    help_arrays,
    layer_one_hot,
    space_of,
    trained_share,
)
from profilers.search_spaces import get_space
from profilers.search_spaces.fbnet import OPERATORS

TARGET = Target(device="d", backend="imported")
SPACES = ("nasbench201", "fbnet", "ofa_mbv3")


def samples(space: str, count: int = 20) -> list[Architecture]:
    rng = np.random.default_rng(0)
    return [get_space(space).sample(rng) for _ in range(count)]


@pytest.mark.parametrize("space", SPACES)
def test_different_architectures_have_different_layers(space: str) -> None:
    architectures = list(dict.fromkeys(samples(space)))
    hot = layer_one_hot(architectures)
    assert set(np.unique(hot)) == {0.0, 1.0}
    assert len(np.unique(hot, axis=0)) == len(architectures)


def test_positions_hold_one_operator_each() -> None:
    assert (layer_one_hot(samples("nasbench201")).reshape(-1, 6, 5).sum(axis=2) == 1).all()
    assert (layer_one_hot(samples("fbnet")).reshape(-1, 22, 9).sum(axis=2) == 1).all()


def test_help_reads_chains_as_its_code_does() -> None:
    space = get_space("fbnet")
    codes = {name: help_arrays([space.parse("|".join([name] * 22))])[0][0, :6].tolist() for name in OPERATORS}
    assert codes["k3_e1"] == [1, 0, 1, 0, 0, 0]
    assert codes["k3_e6"] == [1, 0, 0, 0, 0, 1]
    assert codes["k5_e1_g2"] == [0, 1, 0, 1, 0, 0]
    assert codes["skip"] == [0] * 6
    (flat,) = help_arrays(samples("fbnet"))
    assert flat.shape == (20, 132)
    (flat,) = help_arrays(samples("ofa_mbv3"))
    assert flat.shape == (20, 145)
    assert (flat[:, 120:].sum(axis=1) == 1).all()


@pytest.mark.parametrize("space", ["fbnet", "ofa_mbv3"])
def test_chains_are_paths_under_a_global_node(space: str) -> None:
    nodes, adjacency = brp_graph(samples(space))
    present = nodes.any(axis=2)
    for kept, edges in zip(present, adjacency - np.eye(adjacency.shape[1]), strict=True):
        assert edges[0, 1:].all()
        stops = np.flatnonzero(kept)[1:]
        path = {(int(a), int(b)) for a, b in pairwise(stops)}
        assert {(int(a), int(b)) for a, b in np.argwhere(edges > 0) if a > 0} == path
    assert present[:, [0, 1, -1]].all()


def test_a_skip_that_computes_nothing_is_no_node() -> None:
    space = get_space("fbnet")
    blocks = ["k3_e3"] * 22
    full, _ = brp_graph([space.parse("|".join(blocks))])
    blocks[2] = "skip"  # same channels and size: nothing
    shorter, _ = brp_graph([space.parse("|".join(blocks))])
    blocks[5] = "skip"  # the first block of a stage: a projection
    projected, _ = brp_graph([space.parse("|".join(blocks))])
    counts = [int(nodes.any(axis=2).sum()) for nodes in (full, shorter, projected)]
    assert counts == [25, 24, 24]


def test_seen_operators_are_counted_by_position() -> None:
    first = get_space("nasbench201").parse("|none~0|+|none~0|none~1|+|nor_conv_3x3~0|none~1|none~2|")
    second = get_space("nasbench201").parse("|none~0|+|none~0|none~1|+|nor_conv_1x1~0|none~1|none~2|")
    trained = np.asarray(layer_one_hot([first]).any(axis=0))
    assert trained_share(trained, [first, second]).tolist() == pytest.approx([1.0, 5 / 6])
    assert trained_share(trained, []).shape == (0,)


def test_only_architectures_of_one_known_space_are_read() -> None:
    cell, chain = (Query(target=TARGET, architecture=samples(space, 1)[0]) for space in ("nasbench201", "fbnet"))
    bare = Query(target=TARGET, graph=Graph(hash="g1-0", tensors=(), inputs=(), outputs=(), nodes=()))
    foreign = Query(target=TARGET, architecture=Architecture(space="zoo", text="x"))
    assert space_of([cell, cell]) == "nasbench201"
    for queries in ([bare], [foreign]):
        with pytest.raises(UnsupportedGraphError):
            cell_architectures(queries)
    with pytest.raises(UnsupportedGraphError, match="fbnet"):
        cell_architectures([chain], "nasbench201")
    for several in ([cell, chain], []):
        with pytest.raises(InputError, match="one search space"):
            space_of(several)


@pytest.mark.parametrize("space", SPACES)
def test_what_is_kept_of_encodings_is_bounded_in_bytes(space: str, monkeypatch: pytest.MonkeyPatch) -> None:
    """Chains take some kilobytes each: a bound on their number would be one of hundreds of megabytes."""
    monkeypatch.setattr(cells, "CACHE_BYTES", 100_000)
    kept, made = cells._Kept(cells._brp_graph), samples(space, 300)
    for architecture in made:
        for array, same in zip(kept(architecture), cells._brp_graph(architecture), strict=True):
            np.testing.assert_array_equal(array, same)
    held = sum(array.nbytes for one in set(made) for array in kept.made.get(one) or ())
    assert 0 < held <= 100_000
    assert sum(array.nbytes for one in set(made) for array in cells._brp_graph(one)) > 100_000
