"""Networks of texts are put together out of parts that are built once, and are what their graphs are."""

from collections.abc import Sequence

import numpy as np
import pytest

from latcast.schema import Architecture, InvalidModelError
from predictors.execution.side_by_side import use_threads
from predictors.features.flat import FLAT
from predictors.features.kernels import ExecutionTraits, KernelTable, kernels_feature
from predictors.features.kernels.parts import ChainTable
from predictors.networks import Feature, GraphFeatures
from profilers.host.cancellation import WorkCancelledError
from profilers.onnx_graph.isolated.pool import ModelPart, ModelText, Source
from profilers.search_spaces import get_space
from service.graphs.assembler import ASSEMBLED, Assembler
from tests.service.helpers import CELL, TARGET, DirectReader

KERNELS = kernels_feature(ExecutionTraits.of(TARGET))
FBNET, CELLS = get_space("fbnet"), get_space("nasbench201")
ZOO = get_space("zoo")
WHOLE = ZOO.parse(ZOO.example)
"""A network that its space does not give in parts."""
FIRST = FBNET.parse(FBNET.example)
SECOND = FBNET.parse(FBNET.example.replace("k3_e1|k3_e6", "k3_e1|k5_e6", 1))
MEBIBYTE = 2**20


@pytest.fixture
def reader() -> DirectReader:
    return DirectReader()


def _network(assembler: Assembler, architecture: Architecture, kernels: Feature) -> GraphFeatures | None:
    (network,) = assembler.networks([architecture], kernels)
    return network


def _table(network: GraphFeatures | None) -> KernelTable:
    assert network is not None
    table: KernelTable | ChainTable = network.feature(KERNELS)
    return table.whole() if isinstance(table, ChainTable) else table


def test_parts_are_read_once_and_give_what_the_graph_gives(reader: DirectReader) -> None:
    assembler = Assembler(reader, cache_bytes=64 * MEBIBYTE)
    assert _table(_network(assembler, FIRST, KERNELS)).kinds.size
    first = reader.calls["kernels_of_part"]
    assert first <= len(FBNET.example.split("|")) + 2
    network = _network(assembler, SECOND, KERNELS)
    assert reader.calls["kernels_of_part"] - first == 1  # the block that differs
    whole = reader.read(ModelText(architecture=SECOND), [KERNELS])
    assert np.array_equal(_table(network).values, _table(whole).values)
    assert network is not None
    assert (network.flops, network.size, network.remarks) == (whole.flops, whole.size, whole.remarks)
    assert network.hash == ASSEMBLED != whole.hash


def test_cells_share_parts_that_are_read_once(reader: DirectReader) -> None:
    assembler = Assembler(reader, cache_bytes=64 * MEBIBYTE)
    rng, read = np.random.default_rng(3), list[int]()
    for _ in range(40):
        architecture = CELLS.sample(rng)
        network = _network(assembler, architecture, KERNELS)
        whole = reader.read(ModelText(architecture=architecture), [KERNELS])
        assert network is not None
        assert (network.flops, network.size, network.remarks) == (whole.flops, whole.size, whole.remarks)
        one, other = _table(network), _table(whole)
        assert np.array_equal(np.sort(one.values, axis=0), np.sort(other.values, axis=0))
        read.append(reader.calls["kernels_of_part"])
    assert read[-1] - read[19] < read[19]


def test_other_rules_are_other_parts(reader: DirectReader) -> None:
    assembler = Assembler(reader, cache_bytes=64 * MEBIBYTE)
    plain, unchanged = (_network(assembler, FIRST, ("kernels", level, "fp32", 0)) for level in (3, 0))
    assert plain is not None
    assert unchanged is not None
    assert len(plain.feature(("kernels", 3, "fp32", 0)).whole()) < len(
        unchanged.feature(("kernels", 0, "fp32", 0)).whole()
    )


@pytest.mark.parametrize(
    ("architecture", "feature"),
    [
        (WHOLE, KERNELS),
        (FIRST, FLAT),
        (FIRST, ("kernels", 3, "int8_dynamic", 0)),
    ],
)
def test_what_cannot_be_put_together_is_left_to_the_graph(
    reader: DirectReader, architecture: Architecture, feature: Feature
) -> None:
    assembler = Assembler(reader, cache_bytes=64 * MEBIBYTE)
    for _ in range(2):
        assert _network(assembler, architecture, feature) is None
    assert reader.calls["kernels_of_part"] <= 1  # why is remembered


def test_memory_is_bounded_and_what_was_dropped_is_read_again(reader: DirectReader) -> None:
    assembler = Assembler(reader, cache_bytes=30_000)
    rng = np.random.default_rng(0)
    for _ in range(3):
        assert _network(assembler, FBNET.sample(rng), KERNELS) is not None
    assert 0 < len(assembler.parts) < 12
    whole = reader.read(ModelText(architecture=FIRST), [KERNELS])
    assert np.array_equal(_table(_network(assembler, FIRST, KERNELS)).values, _table(whole).values)


class Failing(DirectReader):
    """Fails at parts as long as it is told to."""

    fails = True

    def read(self, source: Source, features: Sequence[Feature]) -> GraphFeatures:
        if self.fails and isinstance(source, ModelPart):
            raise InvalidModelError("Building the network took longer than 30 s; make it smaller.")
        return super().read(source, features)


def test_a_part_that_could_not_be_built_once_is_tried_again() -> None:
    reader = Failing()
    assembler = Assembler(reader, cache_bytes=MEBIBYTE)
    assert _network(assembler, FIRST, KERNELS) is None
    reader.fails = False
    assert _network(assembler, FIRST, KERNELS) is not None


def test_networks_that_are_asked_for_together_are_those_that_are_asked_for_alone(reader: DirectReader) -> None:
    rng = np.random.default_rng(0)
    texts = [FBNET.sample(rng) for _ in range(6)] + [WHOLE, CELLS.parse(CELL), FIRST, FIRST]
    together = Assembler(reader, cache_bytes=64 * MEBIBYTE).networks(texts, KERNELS)
    read = reader.calls["kernels_of_part"]
    alone = Assembler(reader, cache_bytes=64 * MEBIBYTE)
    for architecture, network in zip(texts, together, strict=True):
        one = _network(alone, architecture, KERNELS)
        assert (network is None) == (one is None) == (architecture is WHOLE)
        if network is not None:
            assert np.array_equal(_table(network).values, _table(one).values)
    assert reader.calls["kernels_of_part"] == 2 * read  # none of them was read twice by either


@pytest.mark.parametrize("threads", [1, 3])
def test_nobody_who_gave_up_has_parts_read(threads: int) -> None:
    class Cancelled(DirectReader):
        def read(self, source: Source, features: Sequence[Feature]) -> GraphFeatures:
            raise WorkCancelledError("Nobody waits for it.")

    use_threads(threads)
    try:
        with pytest.raises(WorkCancelledError):
            Assembler(Cancelled(), cache_bytes=MEBIBYTE).networks([FIRST, SECOND], KERNELS)
    finally:
        use_threads(1)
