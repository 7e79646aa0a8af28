"""Graphs of a single kernel: the conformance suite, and every family and word."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from latcast.schema import InvalidArchitectureError
from profilers.onnx_graph import load_graph, refill_weights
from profilers.search_spaces.fields import Choice
from profilers.search_spaces.kernels import FAMILIES, Kernels
from profilers.testing.search_spaces import SearchSpaceSuite, run_once

SPACE = Kernels()
VARIANTS = [
    (name, field.name, value)
    for name, family in FAMILIES.items()
    for field in family.fields
    if isinstance(field, Choice) and isinstance(field.default, str)
    for value in field.values
] + [("nbits", "level", 4)]


def outcome(text: str) -> str:
    """The normal form, or the message of the refusal."""
    try:
        return SPACE.parse(text).text
    except InvalidArchitectureError as error:
        return str(error)


class TestKernels(SearchSpaceSuite):
    space = SPACE
    samples = 60
    runs = 20
    malformed = (
        "conv/in=0",
        "conv/in=4096",
        "conv/in=64,groups=3",
        "conv/in=4,groups=8",
        "conv/in=2048,out=2048,size=320",
        "pool/size=1,kernel=13,stride=9",
        "topk/columns=3,k=5",
        "convtranspose/kernel=2,stride=3",
    )


@pytest.mark.parametrize("family", FAMILIES)
def test_default_of_every_family_runs_and_its_work_is_counted(family):
    architecture = SPACE.parse(family)
    model = SPACE.to_onnx(architecture)
    graph = load_graph(model)
    run_once(refill_weights(model, 0), graph)
    assert SPACE.macs(architecture) == graph.macs


@pytest.mark.parametrize(("family", "field", "value"), VARIANTS)
def test_every_word_runs(family, field, value):
    model = SPACE.to_onnx(SPACE.parse(f"{family}/{field}={value}"))
    run_once(refill_weights(model, 0), load_graph(model))


def test_the_operator_is_the_one_asked_for():
    wanted = {"conv": "Conv", "gemm": "Gemm", "lstm": "LSTM", "layernorm": "LayerNormalization", "resize": "Resize",
              "unary/op=erf": "Erf", "elementwise/op=Mul": "Mul", "reduce/op=ReduceMax": "ReduceMax"}  # fmt: skip
    for text, operator in wanted.items():
        assert next(iter(load_graph(SPACE.to_onnx(SPACE.parse(text))).operators)) == operator


def test_a_chain_of_convolutions_keeps_its_width():
    graph = load_graph(SPACE.to_onnx(SPACE.parse("conv/in=3,out=16,stride=2,size=32,chain=3,activation=relu")))
    assert graph.operators == {"Conv": 3, "Relu": 3}
    assert graph.tensors[graph.outputs[0]].shape == (1, 16, 16, 16)


def test_samples_stay_within_the_limits_and_cover_four_orders_of_magnitude():
    rng = np.random.default_rng(0)
    work = []
    for _ in range(300):
        graph = load_graph(SPACE.to_onnx(SPACE.sample(rng)))
        assert graph.macs <= 250_000_000
        assert graph.parameter_bytes + graph.activation_bytes <= 65 * 2**20
        work.append(graph.macs + graph.activation_bytes)
    low, high = np.quantile(work, [0.05, 0.95])
    assert high / low > 1000


@settings(max_examples=100, deadline=None)
@given(st.sampled_from(sorted(FAMILIES)), st.dictionaries(st.sampled_from(["in", "size", "rows"]), st.integers()))
def test_any_number_is_parsed_or_refused_with_a_place(family, fields):
    said = outcome(f"{family}/" + ",".join(f"{name}={value}" for name, value in fields.items()))
    assert "at character" in said or SPACE.parse(said).text == said
