"""Cells are cut into pieces that nothing outside is joined with."""

from hypothesis import given
from hypothesis import strategies as st

from profilers.search_spaces.builder import GraphBuilder, Tensor
from profilers.search_spaces.cell_parts import CellNumbering, Operation, Piece, Recording, pieces_of
from profilers.search_spaces.layers import activation, conv

JOINED = {"relu", "conv"}


def test_the_same_of_the_same_is_computed_once_unless_it_has_parameters() -> None:
    cell = CellNumbering(unlike={"conv"})
    assert [cell.compute("pool", 0), cell.compute("pool", 0), cell.compute("conv", 1), cell.compute("conv", 1)] == [
        1,
        1,
        2,
        3,
    ]
    assert cell.compute("sum", 2, 3) == 4
    assert cell.compute("sum", 3, 2) == 5
    assert [operation.copies for operation in cell.operations] == [2, 1, 1, 1, 1]


def test_what_one_operation_reads_is_joined_with_it_and_what_several_read_is_not() -> None:
    operations = [Operation("relu", (0,)), Operation("conv", (1,)), Operation("conv", (1,)), Operation("sum", (2, 3))]
    assert pieces_of(operations, JOINED) == [
        Piece((Operation("relu", (0,)),), reads=(0,), gives=1),
        Piece((Operation("conv", (0,)), Operation("conv", (0,)), Operation("sum", (1, 2))), reads=(1,), gives=4),
    ]


def test_an_operation_that_nothing_is_joined_with_ends_a_piece() -> None:
    operations = [Operation("pool", (0,)), Operation("sum", (0, 1))]
    first, second = pieces_of(operations, JOINED)
    assert (first.gives, second.reads, second.operations) == (1, (0, 1), (Operation("sum", (0, 1)),))
    assert second.then("relu", copies=3).operations[-1] == Operation("relu", (2,), 3)


@st.composite
def cells(draw: st.DrawFn) -> list[Operation]:
    """Operations, each of which reads one or two values before it; the last one gives the result."""
    names = draw(st.lists(st.sampled_from(["relu", "conv", "pool", "sum"]), min_size=1, max_size=12))
    value = st.integers(0, 10**6)
    return [
        Operation(name, tuple(draw(value) % (place + 1) for _ in range(1 + (name == "sum"))))
        for place, name in enumerate(names)
    ]


@given(cells())
def test_pieces_have_each_operation_once_and_read_only_what_pieces_before_them_give(cell: list[Operation]) -> None:
    pieces, given_before = pieces_of(cell, JOINED), {0}
    assert sum(len(piece.operations) for piece in pieces) == len(cell)
    assert sorted(name for piece in pieces for name, _, _ in piece.operations) == sorted(name for name, _, _ in cell)
    for piece in pieces:
        assert given_before.issuperset(piece.reads)
        given_before.add(piece.gives)
        for place, operation in enumerate(piece.operations):
            assert all(number < len(piece.reads) + place for number in operation.reads)
            if place < len(piece.operations) - 1:
                assert operation.name in JOINED
    assert pieces[-1].gives == len(cell)


def test_copies_are_recorded_and_the_first_one_is_read() -> None:
    record = {"relu": lambda net, x: activation(net, x, "relu"), "conv": lambda net, x: conv(net, x, 4, 1)}
    net = GraphBuilder("cell")
    x = net.input("x", (1, 4, 8, 8))
    result = Recording((Operation("conv", (0,), 2), Operation("relu", (1,))), record)(net, x)
    assert isinstance(result, Tensor)
    nodes = net.recorded().nodes
    assert [node.operator for node in nodes] == ["Conv", "Conv", "Relu"]
    assert nodes[2].inputs == nodes[0].outputs
