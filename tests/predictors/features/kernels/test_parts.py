"""Tables of networks that are put together of parts: to the last bit those of the whole graphs."""

from collections.abc import Callable, Hashable, Sequence
from dataclasses import fields
from typing import Any, ClassVar

import numpy as np
import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st

from latcast.schema import Architecture, Graph, UnsupportedGraphError
from predictors.features.kernels import KernelTable, Level, RewriteRules
from predictors.features.kernels.parts import BLOCKED, CONVERTED, ChainTable, PartTable, layout_code, read_part
from predictors.features.kernels.table import read_table
from profilers.onnx_graph import load_graph
from profilers.search_spaces import SearchSpace, get_space
from profilers.search_spaces.builder import GraphBuilder, Tensor
from profilers.search_spaces.chains import Chain, Part, record_chain, record_part
from profilers.search_spaces.layers import (
    activation,
    add,
    channel_shuffle,
    conv,
    conv_norm,
    flatten,
    global_pool,
    linear,
    max_pool,
    squeeze_excite,
    transpose,
)
from profilers.search_spaces.nasbench201 import OPERATORS, NASBench201
from profilers.search_spaces.text_space import TextSpace, Values

RULES = [RewriteRules(level, "fp32", False) for level in Level] + [RewriteRules(Level.ALL, "fp32", True)]
PLAIN = RULES[3]
SEEDS = st.integers(0, 2**32 - 1)


def _shuffling(groups: int, channels: int, act: str, stride: int) -> Callable[[GraphBuilder, Tensor], Tensor]:
    def build(net: GraphBuilder, x: Tensor) -> Tensor:
        y = conv_norm(net, x, channels, 1, act, groups=groups)
        y = channel_shuffle(net, y, groups) if groups > 1 else squeeze_excite(net, y, 8)
        y = conv_norm(net, y, channels, 3, act, stride=stride)
        y = conv_norm(net, y, channels, 1)
        return add(net, x, y) if x.shape == y.shape else y

    return build


class Mine(TextSpace):
    """A user's own: activations, groups and channels that fill blocks or do not, poolings in between."""

    name: ClassVar[str] = "mine"
    stages: ClassVar[int] = 4
    head: ClassVar[dict[str, Sequence[int]]] = {"r": (16, 24)}
    fields: ClassVar[dict[str, Sequence[int | str]]] = {
        "c": (12, 16, 20), "g": (1, 2), "act": ("relu", "relu6", "hardswish", "silu", "gelu"), "p": (0, 1),
    }  # fmt: skip

    def build(self, net: GraphBuilder, head: Values, stages: Sequence[Values]) -> None:
        record_chain(net, self.chain_of(head, stages))

    def chain_of(self, head: Values, stages: Sequence[Values]) -> Chain:
        parts = [Part("stem", lambda net, x: conv_norm(net, x, 12, 3, "relu"))]
        for place, stage in enumerate(stages):
            values = (stage["g"], stage["c"], stage["act"], 1 + place // 2)
            parts.append(Part(values, _shuffling(*values)))
            parts += [Part("pool", lambda net, x: max_pool(net, x, 3, 1, 1))] if stage["p"] else []
        parts.append(Part("end", lambda net, x: linear(net, flatten(net, global_pool(net, conv(net, x, 24, 1))), 10)))
        return Chain((1, 3, head["r"], head["r"]), parts)


SPACES: dict[str, SearchSpace] = {
    **{name: get_space(name) for name in ("fbnet", "mnasnet", "nasbench201", "ofa_mbv3")},
    "mine": Mine(),
}
_read: dict[Hashable, PartTable] = {}


def _part(space: SearchSpace, part: Part, shape: tuple[int, ...]) -> Graph:
    net = GraphBuilder(space.name)
    record_part(net, part, shape)
    return load_graph(net.to_bytes())


def parts_of(space: SearchSpace, architecture: Architecture, rules: RewriteRules) -> list[PartTable]:
    network = space.parts(architecture)
    assert network is not None
    shapes, layouts, parts = [network.shape], [0], list[PartTable]()
    for place, part in enumerate(network.parts):
        last = place == len(network.parts) - 1
        reads = [place] if part.reads is None else [read + 1 for read in part.reads]
        shape, code = shapes[reads[0]], layout_code([layouts[read] for read in reads])
        key = (space.name, part.key, shape, code, last, rules)
        if key not in _read:
            _read[key] = read_part(_part(space, part, shape), rules, layouts=code, last=last)
        parts.append(_read[key])
        shapes.append(parts[-1].shape)
        layouts.append(BLOCKED * parts[-1].gives_blocks)
        for read in parts[-1].converts:
            layouts[reads[read]] |= CONVERTED
    return parts


def _assert_same(one: KernelTable, other: KernelTable) -> None:
    for each in fields(KernelTable):
        left, right = getattr(one, each.name), getattr(other, each.name)
        assert np.array_equal(left, right), each.name
        assert getattr(left, "dtype", None) == getattr(right, "dtype", None), each.name


def _sorted(table: KernelTable) -> KernelTable:
    """The kernels in an order that follows from what they are."""
    names = np.unique(table.operators, return_inverse=True)[1]
    return table.pick(np.lexsort([names, table.kinds, *table.values.T]))


@pytest.mark.parametrize("name", sorted(SPACES.keys() - {"nasbench201"}))
@settings(max_examples=6, deadline=None)
@given(seed=SEEDS, rules=st.sampled_from(RULES))
def test_a_network_of_parts_has_the_table_of_its_graph(name: str, seed: int, rules: RewriteRules) -> None:
    space = SPACES[name]
    architecture = space.sample(np.random.default_rng(seed))
    graph, parts = load_graph(space.to_onnx(architecture)), parts_of(space, architecture, rules)
    _assert_same(read_table(graph, rules), ChainTable(parts).whole())
    assert (graph.flops, graph.size) == (sum(part.flops for part in parts), sum(part.size for part in parts))


CELLS = NASBench201()


def parts_in(text: str) -> Sequence[Part]:
    network = CELLS.parts(CELLS.parse(text))
    assert network is not None
    return network.parts


WHOLE_CELLS = [text for text in CELLS.all() if len(parts_in(text)) == 1]
"""Cells that are not cut."""
EDGE = st.integers(0, len(OPERATORS) - 1)


@settings(max_examples=60, deadline=None)
@given(codes=st.tuples(EDGE, EDGE, EDGE, EDGE, EDGE, EDGE), rules=st.sampled_from(RULES[1:-1]))
@example(codes=(0, 2, 1, 3, 2, 1), rules=PLAIN)  # a node without any input: its product with zero is no block
@example(codes=(1, 1, 1, 1, 1, 1), rules=PLAIN)  # the same sums several times
@example(codes=(4, 4, 4, 4, 4, 4), rules=PLAIN)
@example(codes=(2, 2, 2, 2, 2, 2), rules=PLAIN)  # a ReLU alone reads each cell's result
@example(codes=(0, 0, 0, 2, 0, 0), rules=PLAIN)
@example(codes=(0, 2, 0, 1, 0, 0), rules=PLAIN)  # its input is its result
@example(codes=(0, 2, 4, 0, 2, 0), rules=PLAIN)  # a product with zero alone reads each cell's input: one part
@example(codes=(1, 1, 0, 0, 0, 0), rules=RULES[1])
@example(codes=(1, 1, 0, 1, 1, 0), rules=PLAIN)  # so does a sum
@example(codes=(1, 2, 0, 0, 3, 0), rules=RULES[1])
def test_cells_are_no_chains_and_have_the_kernels_of_their_graph(codes: Sequence[int], rules: RewriteRules) -> None:
    architecture = CELLS.from_choices(codes)
    graph, parts = load_graph(CELLS.to_onnx(architecture)), parts_of(CELLS, architecture, rules)
    _assert_same(_sorted(read_table(graph, rules)), _sorted(ChainTable(parts).whole()))
    assert (graph.flops, graph.size) == (sum(part.flops for part in parts), sum(part.size for part in parts))


def test_nearly_all_cells_are_cut() -> None:
    reaching = [text for text in WHOLE_CELLS if not CELLS.is_degenerate(CELLS.parse(text))]
    assert len(reaching) < 60
    assert len(WHOLE_CELLS) > 3 * len({parts_in(text)[0].key for text in WHOLE_CELLS})  # equal networks share a part


@settings(max_examples=25, deadline=None)
@given(text=st.sampled_from(WHOLE_CELLS), rules=st.sampled_from(RULES))
def test_a_cell_of_one_part_is_its_graph_to_the_last_bit(text: str, rules: RewriteRules) -> None:
    architecture = CELLS.parse(text)
    graph, parts = load_graph(CELLS.to_onnx(architecture)), parts_of(CELLS, architecture, rules)
    _assert_same(read_table(graph, rules), ChainTable(parts).whole())
    assert (graph.flops, graph.size) == (sum(part.flops for part in parts), sum(part.size for part in parts))


@pytest.mark.parametrize("rules", [RULES[0], RULES[-1]])
def test_cells_are_read_whole_where_the_same_is_computed_twice_or_the_order_of_steps_decides(
    rules: RewriteRules,
) -> None:
    architecture = CELLS.parse(CELLS.example)
    with pytest.raises(UnsupportedGraphError, match=BEGINS):
        parts_of(CELLS, architecture, rules)


def test_one_part_is_a_network_and_is_left_as_it_is() -> None:
    space = Mine()
    whole = Part("whole", lambda net, x: conv_norm(net, x, 16, 3, "relu"))
    part = read_part(_part(space, whole, (1, 3, 8, 8)), PLAIN, last=True)
    before = part.table.values.copy()
    _assert_same(read_table(_part(space, whole, (1, 3, 8, 8)), PLAIN), ChainTable([part]).whole())
    ChainTable([part, part]).whole()
    assert np.array_equal(part.table.values, before)


def test_layout_crosses_borders_and_what_is_read_in_blocks_is_not_what_is_read_plain() -> None:
    part = _part(Mine(), Part("pool", lambda net, x: max_pool(net, x, 3, 1, 1)), (1, 16, 8, 8))
    plain, blocked = (read_part(part, PLAIN, layouts=blocks, last=False) for blocks in (False, True))
    assert (plain.table.operators, blocked.table.operators) == (
        ("Call", "ReorderInput", "MaxPool"),
        ("Call", "MaxPool"),
    )
    assert plain.gives_blocks
    assert blocked.gives_blocks


BEGINS = r"begins with may be joined with what comes before"
ENDS = r"ends with may be joined with what comes after"


@pytest.mark.parametrize(
    ("build", "why"),
    [
        (lambda net, x: conv(net, activation(net, x, "relu"), 8), BEGINS),
        (lambda net, x: add(net, activation(net, x, "sigmoid"), conv(net, x, 16)), BEGINS),
        (lambda net, x: add(net, x, x), BEGINS),
        (lambda net, x: net.op("Conv", [net.weight(1, 16, 8, 8), x], (1, 1, 1, 1)), BEGINS),
        (lambda net, x: transpose(net, conv(net, x, 16), (0, 2, 3, 1)), ENDS),
        (lambda net, x: flatten(net, conv(net, x, 16)), ENDS),
    ],
)
def test_a_part_that_may_be_joined_with_its_neighbours_is_not_looked_at_by_itself(
    build: Callable[[GraphBuilder, Tensor], Tensor], why: str
) -> None:
    with pytest.raises(UnsupportedGraphError, match=why):
        read_part(_part(Mine(), Part("p", build), (1, 16, 8, 8)), PLAIN, last=False)


def test_neither_are_parts_that_are_quantised_or_read_a_parameter_twice() -> None:
    def twice(net: GraphBuilder, x: Tensor) -> Tensor:
        weights = net.weight(16, 16, 3, 3)
        window: dict[str, Any] = {"kernel_shape": (3, 3), "pads": (1, 1, 1, 1), "macs": 10}
        y = net.op("Conv", [x, weights], x.shape, **window)
        return net.op("Conv", [activation(net, y, "relu"), weights], x.shape, **window)

    graph = _part(Mine(), Part("twice", twice), (1, 16, 8, 8))
    with pytest.raises(UnsupportedGraphError, match="reads parameters repeatedly"):
        read_part(graph, PLAIN, last=False)
    with pytest.raises(UnsupportedGraphError, match="not in float32 throughout"):
        read_part(graph, RewriteRules(Level.ALL, "int8_dynamic", False), last=False)


def test_a_large_constant_may_be_shared_by_parts() -> None:
    def build(net: GraphBuilder, x: Tensor) -> Tensor:
        return net.op("Add", [conv(net, x, 16), net.constant(np.zeros((1, 16, 8, 8)), "float32")])

    with pytest.raises(ValueError, match="large constant"):
        _part(Mine(), Part("p", build), (1, 16, 8, 8))


@pytest.mark.parametrize(
    "build",
    [
        lambda net, x, y: add(net, activation(net, x, "sigmoid"), y),
        lambda net, x, y: net.op("Conv", [x, y], (1, 16, 8, 8)),
    ],
)
def test_what_is_set_apart_begins_with_steps_that_are_joined_only_where_they_alone_read(
    build: Callable[[GraphBuilder, Tensor, Tensor], Tensor],
) -> None:
    with pytest.raises(UnsupportedGraphError, match=BEGINS):
        read_part(_part(Mine(), Part("p", build, (0, 1)), (1, 16, 8, 8)), PLAIN, last=False)


def test_what_an_earlier_part_brought_into_the_other_layout_is_not_brought_there_again() -> None:
    part = _part(Mine(), Part("p", add, (0, 1)), (1, 16, 8, 8))
    mixed = read_part(part, PLAIN, layouts=layout_code([0, BLOCKED]), last=False)
    again = read_part(part, PLAIN, layouts=layout_code([0, BLOCKED | CONVERTED]), last=False)
    assert (mixed.table.operators, mixed.converts) == (("Call", "ReorderOutput", "Add"), (1,))
    assert (again.table.operators, again.converts) == (("Call", "Add"), ())
