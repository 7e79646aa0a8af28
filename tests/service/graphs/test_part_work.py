"""Networks of texts are summed up out of their parts: the numbers of their graphs."""

import numpy as np
import pytest

from latcast.schema import Architecture
from predictors.foreign.features import SUMMARY
from profilers.onnx_graph.isolated.pool import ModelText
from profilers.search_spaces import get_space
from service.graphs.part_work import WorkOfParts
from tests.service.helpers import CELL, DirectReader

NAMES = ("macs", "flops", "parameter_bytes", "activation_bytes")


@pytest.mark.parametrize("space", ["fbnet", "mnasnet", "ofa_mbv3"])
def test_sums_are_those_of_the_graph(space: str) -> None:
    """Constants of shuffles stand in many parts, and once in the network."""
    rng, reader = np.random.default_rng(1), DirectReader()
    work = WorkOfParts(reader, most=10_000)
    for _ in range(3):
        architecture = get_space(space).sample(rng)
        whole = reader.read(ModelText(architecture=architecture), [SUMMARY]).feature(SUMMARY)
        assert work.of(architecture) == {name: whole[name] for name in NAMES}


def test_parts_are_read_once() -> None:
    reader, fbnet = DirectReader(), get_space("fbnet")
    work, first = WorkOfParts(reader, most=10_000), fbnet.parse(fbnet.example)
    other = fbnet.parse(fbnet.example.replace("k3_e1|k3_e6", "k3_e1|k5_e6", 1))
    assert work.of(first) != work.of(other)
    read = reader.calls["summary"]
    work.of(first)
    work.of(other)
    assert reader.calls["summary"] == read


def test_what_is_no_chain_is_not_summed_up() -> None:
    reader = DirectReader()
    assert WorkOfParts(reader, most=10).of(Architecture(space="nasbench201", text=CELL)) is None
    assert not reader.calls["summary"]
