"""NAS-Bench-201's space: the conformance suite, and the published figures."""

import os
import re
from collections import Counter
from itertools import product
from pathlib import Path

import numpy as np
import onnx
import pytest
from hypothesis import given, settings
from hypothesis.strategies import integers

from latcast.schema import InvalidArchitectureError
from profilers.onnx_graph import load_graph, refill_weights
from profilers.search_spaces.nasbench201 import EDGES, OPERATORS, NASBench201
from profilers.testing.search_spaces import SearchSpaceSuite, run_once

SPACE = NASBench201()
FULL = "|nor_conv_3x3~0|+|nor_conv_3x3~0|nor_conv_3x3~1|+|nor_conv_3x3~0|nor_conv_3x3~1|nor_conv_3x3~2|"
SKIPS = FULL.replace("nor_conv_3x3", "skip_connect")
DEAD = "|none~0|+|none~0|none~1|+|none~0|nor_conv_3x3~1|skip_connect~2|"


class TestNASBench201(SearchSpaceSuite):
    space = SPACE
    malformed = (
        FULL[:-1],
        FULL.replace("~2", "~1"),
        FULL.replace("|+|", "||", 1),
        "|nor_conv_5x5~0|+|none~0|none~1|+|none~0|none~1|none~2|",
    )


def test_there_are_15625_texts_and_each_knows_its_index():
    texts = list(SPACE.all())
    assert len(texts) == len(set(texts)) == SPACE.size == 15625
    for index in (0, 1, 7812, 15624):
        assert SPACE.index(texts[index]) == index
        assert SPACE.at(index).text == texts[index]


def test_dead_edge_removal_leaves_9445_cells_and_341_are_degenerate():
    texts = list(SPACE.all())
    assert len({SPACE.canonical(text) for text in texts}) == 9445
    assert sum(SPACE.is_degenerate(SPACE.parse(text)) for text in texts) == 341


def test_cells_whose_inner_nodes_are_swapped_are_one_network():
    first = "|nor_conv_3x3~0|+|avg_pool_3x3~0|none~1|+|none~0|skip_connect~1|nor_conv_1x1~2|"
    swapped = "|avg_pool_3x3~0|+|nor_conv_3x3~0|none~1|+|none~0|nor_conv_1x1~1|skip_connect~2|"
    assert SPACE.network(first) == SPACE.network(swapped)
    built = [load_graph(SPACE.to_onnx(SPACE.parse(text))) for text in (first, swapped)]
    assert built[0].operators == built[1].operators
    assert built[0].flops == built[1].flops
    joined = swapped.replace("none~1|+", "skip_connect~1|+")
    assert SPACE.network(joined) == joined


def test_canonical_removes_edges_off_every_path_and_keeps_skips():
    loose = "|nor_conv_3x3~0|+|none~0|avg_pool_3x3~1|+|skip_connect~0|nor_conv_1x1~1|none~2|"
    assert SPACE.canonical(loose) == loose.replace("avg_pool_3x3~1", "none~1")
    assert SPACE.canonical(DEAD) == "|none~0|+|none~0|none~1|+|none~0|none~1|none~2|"
    assert SPACE.canonical(SKIPS) == SKIPS


def test_the_macro_architecture_is_the_published_one():
    graph = load_graph(SPACE.to_onnx(SPACE.parse(FULL)))
    assert graph.operators == Counter(
        Conv=15 * 6 + 2 * 3 + 1, BatchNormalization=15 * 6 + 2 * 2 + 2, Relu=15 * 6 + 2 * 2 + 1, Add=15 * 3 + 2,
        AveragePool=2, GlobalAveragePool=1, Flatten=1, Gemm=1,
    )  # fmt: skip
    assert graph.tensors[graph.inputs[0]].shape == (1, 3, 32, 32)
    assert graph.tensors[graph.outputs[0]].shape == (1, 10)


@pytest.mark.parametrize(("operator", "megaparameters"), [("nor_conv_3x3", 1.531546), ("skip_connect", 0.073306)])
def test_parameter_counts_are_the_published_ones(operator, megaparameters):
    """The benchmark lists trainable parameters, without the running statistics of batch normalisation."""
    model = onnx.load_from_string(SPACE.to_onnx(SPACE.parse(FULL.replace("nor_conv_3x3", operator))))
    statistics = {name for node in model.graph.node if node.op_type == "BatchNormalization" for name in node.input[3:]}
    trainable = [np.prod(tensor.dims) for tensor in model.graph.initializer if tensor.name not in statistics]
    assert sum(trainable) / 1e6 == pytest.approx(megaparameters, abs=1e-6)


def test_what_the_output_does_not_need_is_not_written():
    loose = "|nor_conv_3x3~0|+|none~0|nor_conv_3x3~1|+|skip_connect~0|none~1|none~2|"
    alone = "|none~0|+|none~0|none~1|+|skip_connect~0|none~1|none~2|"
    assert SPACE.to_onnx(SPACE.parse(loose)) == SPACE.to_onnx(SPACE.parse(alone))


def test_degenerate_cells_run():
    model = SPACE.to_onnx(SPACE.parse(DEAD))
    run_once(refill_weights(model, 0), load_graph(model))


def test_encoding_says_what_the_text_says():
    text = "|nor_conv_3x3~0|+|none~0|avg_pool_3x3~1|+|skip_connect~0|nor_conv_1x1~1|none~2|"
    encoding = SPACE.encode(SPACE.parse(text))
    assert [OPERATORS[index] for index in encoding["operators"]] == [
        "nor_conv_3x3", "none", "avg_pool_3x3", "skip_connect", "nor_conv_1x1", "none"
    ]  # fmt: skip
    assert encoding["live"].tolist() == [1, 0, 0, 1, 1, 0]
    assert encoding["canonical"][2] == 0
    assert (encoding["one_hot"].argmax(1) == encoding["operators"]).all()
    for row, (_, end) in enumerate(EDGES, start=1):
        followers = {column for column, (start, _) in enumerate(EDGES, start=1) if start == end} | (
            {7} if end == 3 else set()
        )
        assert set(np.flatnonzero(encoding["adjacency"][row])) == followers
    assert not encoding["adjacency"][7].any(), "nothing follows the output"


def test_an_error_names_the_place():
    text = "|nor_conv_3x3~0|+|nor_conv_3x3~0|max_pool_3x3~1|+|none~0|none~1|none~2|"
    with pytest.raises(InvalidArchitectureError, match=r"at character 33, found 'max_pool_3x3' instead of an operator"):
        SPACE.parse(text)


def test_texts_are_the_benchmarks_own():
    root = os.environ.get("LATCAST_DATA")
    if not root:
        pytest.skip("LATCAST_DATA is not set to the folder that holds help/, the tables of HayeonLee/HELP")
    torch = pytest.importorskip("torch", reason="reading the tables needs torch")
    official = torch.load(Path(root) / "help" / "nasbench201" / "str_arch2idx.pt", weights_only=True)
    assert set(official) == set(SPACE.all())


OPERATORS_OF_NASLIB = ["skip_connect", "none", "nor_conv_3x3", "nor_conv_1x1", "avg_pool_3x3"]
EDGES_OF_NASLIB = [(0, 1), (0, 2), (0, 3), (1, 2), (1, 3), (2, 3)]
WRITTEN = ["4,0,3,1,4,3", "[4 0 3 1 4 3]", "(4, 0, 3, 1, 4, 3)", "403143"]
OWN = "|avg_pool_3x3~0|+|none~0|nor_conv_3x3~1|+|skip_connect~0|avg_pool_3x3~1|nor_conv_3x3~2|"
NASLIBS = "|avg_pool_3x3~0|+|skip_connect~0|none~1|+|nor_conv_1x1~0|avg_pool_3x3~1|nor_conv_1x1~2|"


@pytest.mark.parametrize("written", WRITTEN)
def test_indices_are_read_in_the_order_that_is_named(written):
    assert SPACE.parse(f"nasbench201:{written}").text == SPACE.parse(f"NAS-Bench-201: {written}").text == OWN
    assert SPACE.parse(f"naslib:{written}").text == SPACE.parse(f"NASLib: {written}").text == NASLIBS


@pytest.mark.parametrize("written", WRITTEN)
def test_indices_that_may_mean_two_cells_are_refused_with_both(written):
    with pytest.raises(InvalidArchitectureError) as caught:
        SPACE.parse(written)
    said = str(caught.value)
    for part in (OWN, NASLIBS, "'nasbench201:4,0,3,1,4,3' or 'naslib:4,0,3,1,4,3'", "HELP", "NAS-Bench-Suite-Zero",
                 ", ".join(OPERATORS), ", ".join(OPERATORS_OF_NASLIB)):  # fmt: skip
        assert part in said


def test_indices_that_mean_one_cell_however_they_are_read_need_no_order():
    assert SPACE.parse("444444").text == SPACE.parse("[4, 4, 4, 4, 4, 4]").text == SPACE.at(15624).text
    alike = [text for text in map("".join, product("01234", repeat=6)) if one_cell(text)]
    assert alike == ["440144", "441044", "442344", "443244", "444444"]


def one_cell(text):
    try:
        return SPACE.parse(text)
    except InvalidArchitectureError:
        return None


@settings(max_examples=50)
@given(index=integers(0, 15624))
def test_every_cell_is_had_back_from_its_indices_in_either_order(index):
    operators = dict(zip(EDGES, SPACE.encode(SPACE.at(index))["operators"].tolist(), strict=True))
    own = "".join(str(operators[edge]) for edge in EDGES)
    theirs = [OPERATORS_OF_NASLIB.index(OPERATORS[operators[edge]]) for edge in EDGES_OF_NASLIB]
    assert SPACE.parse(f"nasbench201:{own}") == SPACE.parse(f"naslib:{theirs}") == SPACE.at(index)


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("3143", "it lists 4 indices instead of 6; spreadsheets drop zeros at the beginning"),
        ("4", "it lists 1 index instead of 6"),
        ("naslib:4,0,3,1,4,3,0", "it lists 7 indices instead of 6"),
        ("403145", "the index 5 is none of the 5 operators, 0 to 4"),
        ("darts:403143", "the order of indices is 'darts' rather than nasbench201: or naslib:"),
        ("naslib:" + FULL, "'|' is missing"),
    ],
)
def test_indices_that_are_no_cell_are_refused_with_the_reason(text, said):
    with pytest.raises(InvalidArchitectureError, match=re.escape(said)):
        SPACE.parse(text)
