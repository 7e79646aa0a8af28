"""FBNet's space: the conformance suite, and the paper's figures."""

import os
from pathlib import Path

import numpy as np
import onnx
import pytest

from latcast.schema import InvalidArchitectureError
from profilers.onnx_graph import load_graph
from profilers.search_spaces.fbnet import OPERATORS, POSITIONS, FBNet
from profilers.testing.search_spaces import SearchSpaceSuite

SPACE = FBNet()
BLOCKS = SPACE.example.split("|")


class TestFBNet(SearchSpaceSuite):
    space = FBNet()
    malformed = ("|".join(BLOCKS[:-1]), "|".join([*BLOCKS, "skip"]), SPACE.example.replace("k5_e6", "k7_e6"), "|" * 21)


def test_the_space_is_as_large_as_in_the_paper():
    assert (len(OPERATORS), POSITIONS, SPACE.size) == (9, 22, 9**22)


def test_there_is_a_neighbour_for_every_other_block():
    assert len(list(SPACE.neighbours(SPACE.parse(SPACE.example)))) == 22 * 8


def test_skips_compute_only_where_channels_or_size_change():
    architecture = SPACE.from_operators([OPERATORS.index("skip")] * POSITIONS)
    active = SPACE.encode(architecture)["active"]
    assert np.flatnonzero(active).tolist() == [1, 5, 9, 13, 17, 21]
    assert load_graph(SPACE.to_onnx(architecture)).operators["Conv"] == 6 + 2


# The first architecture of the CIFAR-100 list and what HW-NAS-Bench's PyTorch code counts for it: trainable
# parameters and running statistics.
@pytest.mark.parametrize(
    ("operators", "parameters"),
    [([7, 8, 1, 8, 4, 8, 8, 8, 7, 4, 1, 4, 7, 3, 2, 7, 3, 2, 4, 2, 4, 5], 1814964)],
)
def test_parameter_counts_are_those_of_the_reference_code(operators, parameters):
    model = onnx.load_from_string(SPACE.to_onnx(SPACE.from_operators(operators)))
    weights = [tensor for tensor in model.graph.initializer if tensor.data_type == onnx.TensorProto.FLOAT]
    assert sum(int(np.prod(tensor.dims)) for tensor in weights) == parameters


def test_an_error_names_the_place():
    with pytest.raises(InvalidArchitectureError, match="at character 6, found 'k3_e9' instead of a block"):
        SPACE.parse("|".join(["k3_e1", "k3_e9", *BLOCKS[2:]]))


def test_texts_are_the_tables_own():
    root = os.environ.get("LATCAST_DATA")
    if not root:
        pytest.skip("LATCAST_DATA is not set to the folder that holds help/, the tables of HayeonLee/HELP")
    torch = pytest.importorskip("torch", reason="reading the tables needs torch")
    listed = torch.load(Path(root) / "help" / "fbnet" / "metainfo.pt", weights_only=True)["arch"]
    for entry in listed:
        assert SPACE.from_operators(entry["op_idx_list"]).text == "|".join(entry["arch_str"])


LISTED = [7, 8, 1, 8, 4, 8, 8, 8, 7, 4, 1, 4, 7, 3, 2, 7, 3, 2, 4, 2, 4, 5]


@pytest.mark.parametrize(
    "written", [str(LISTED), ",".join(map(str, LISTED)), " ".join(map(str, LISTED)), "".join(map(str, LISTED))]
)
def test_lists_of_indices_are_read_as_the_tables_have_them(written):
    assert SPACE.parse(written) == SPACE.from_operators(LISTED)


@pytest.mark.parametrize(
    ("text", "said"),
    [
        (str(LISTED[1:]), "it lists 21 indices instead of 22"),
        (str([9, *LISTED[1:]]), r"the index 9 is none of the 9 blocks, 0 \(k3_e1\) to 8 \(skip\)"),
        ("0,3,x", "found '0,3,x' instead of a block"),
    ],
)
def test_lists_that_are_no_architecture_are_refused_with_the_reason(text, said):
    with pytest.raises(InvalidArchitectureError, match=said):
        SPACE.parse(text)
