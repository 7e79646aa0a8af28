"""The zoo: the conformance suite, and every family, word and style of export."""

import numpy as np
import onnx
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from latcast.schema import Architecture, InvalidArchitectureError
from profilers.onnx_graph import load_graph, refill_weights
from profilers.search_spaces.fields import Choice
from profilers.search_spaces.zoo import FAMILIES, Zoo
from profilers.search_spaces.zoo.common import STYLE
from profilers.testing.search_spaces import SearchSpaceSuite, run_once

SPACE = Zoo()

SMALL = {
    "residual": "depth=4,width=8,stages=3,resolution=32",
    "mobile": "depth=5,width=16,stages=3,expansion=2,resolution=32,head=0",
    "plain": "stages=3,layers=1,width=8,hidden=128,resolution=32",
    "inception": "depth=3,width=16,resolution=32",
    "dense": "growth=8,depth=4,blocks=2,resolution=32",
    "convnext": "width=16,depth=2,stages=2,resolution=32",
    "vision_transformer": "patch=8,features=64,depth=1,resolution=32",
    "mixer": "patch=8,features=32,depth=1,resolution=32",
    "unet": "levels=2,width=8,layers=1,resolution=32",
    "restoration": "depth=1,width=8,resolution=32",
    "detector": "width=8,depth=1,neck_width=32,levels=2,resolution=96",
    "text_transformer": "vocabulary=1000,length=8,features=64,depth=1",
    "recurrent": "length=8,features=16,vocabulary=100,hidden=16",
    "speech": "length=64,width=16,depth=2,kernel=3",
    "recommender": "inputs=8,tables=2,vocabulary=100,hidden=16,depth=2",
    "ocr": "width=8,depth=1,hidden=32,layers=1,classes=11,columns=16,height=32",
    "streaming": "window=64,width=16,depth=2,hidden=16",
    "spectrogram": "frames=16,bins=40,width=4,depth=1",
    "boxes": "width=8,depth=1,stages=2,classes=2,resolution=96",
    "graph_network": "nodes=8,edges=16,features=4,hidden=8,depth=1",
    "decoder": "vocabulary=100,past=4,features=64,depth=1",
    "segmenter": "width=8,depth=1,stages=2,context=16,classes=3,resolution=32",
    "tabular": "features=4,trees=3,depth=2,hidden=8",
    "quantised": "width=16,depth=1,stages=1,length=4,resolution=32,classes=4",
}
"""Fields that make each family's network small enough to run in milliseconds."""

VARIANTS = [
    (name, field.name, value)
    for name, family in FAMILIES.items()
    for field in family.fields
    if isinstance(field, Choice) and isinstance(field.default, str) and field not in STYLE
    for value in field.values
]


class TestZoo(SearchSpaceSuite):
    space = SPACE
    samples = 20
    runs = 5
    malformed = (
        "residual/",
        "residual/depth",
        "residual/depth=",
        "residual/depth=8,",
        "residual/depth=8,depth=8",
        "residual/depth=8;width=64",
        "residual/depth=08",
        "residual/depth=-8",
        "residual/depth=8.0",
        "residual/depth=99999999999999999999",
        "residual/depth=٨",
        "residual/width=63",
        "residual/heads=4",
        "residual/activation=Relu",
        "resnet/depth=8",
        "/depth=8",
        "residual/width=192,depth=33,resolution=320",
        "unet/levels=5,resolution=48",
        "vision_transformer/patch=14,resolution=32",
    )


def small(family: str, **fields: object) -> Architecture:
    """The family's small network with some fields set."""
    values = dict(item.split("=") for item in SMALL[family].split(",")) | fields
    return SPACE.parse(f"{family}/" + ",".join(f"{key}={value}" for key, value in values.items()))


def outcome(text: str) -> str:
    """The normal form, or the message of the refusal."""
    try:
        return SPACE.parse(text).text
    except InvalidArchitectureError as error:
        return str(error)


def run(architecture: Architecture) -> dict[str, np.ndarray]:
    model = SPACE.to_onnx(architecture)
    return run_once(refill_weights(model, 0), load_graph(model))


def test_every_family_has_a_small_form_and_valid_defaults():
    assert set(SMALL) == set(FAMILIES)
    for name in FAMILIES:
        assert SPACE.parse(name).text.startswith(f"{name}/")


NEWEST = {"graph_network": (18, 20), "quantised": (13, 14, 18)}
"""Opsets of families that cannot be written at all of them."""


@pytest.mark.parametrize(
    ("family", "opset"),
    [(family, opset) for family in FAMILIES for opset in NEWEST.get(family, (11, 13, 14, 18, 20))],
)
def test_every_family_runs_at_every_opset(family, opset):
    """Alternating styles, so that all of them meet all opsets."""
    odd = opset % 2
    style = {
        "constants": "node" if odd else "initializer",
        "shapes": "static" if odd else "chain",
        "linear": "matmul" if opset % 3 else "gemm",
        "pooling": "mean" if opset % 4 < 2 else "operator",
        "composites": "parts" if opset % 4 in (1, 2) else "operator",
    }
    known = {field.name for field in FAMILIES[family].fields}
    style = {name: value for name, value in style.items() if name in known}
    outputs = run(small(family, opset=opset, **style))
    assert all(np.isfinite(array).all() for array in outputs.values())


@pytest.mark.parametrize(("family", "field", "value"), VARIANTS)
def test_every_word_makes_a_valid_model(family, field, value):
    model = SPACE.to_onnx(small(family, **{field: value}))
    load_graph(model)
    onnx.checker.check_model(onnx.load_from_string(refill_weights(model, 0)))


@pytest.mark.parametrize("family", FAMILIES)
def test_counted_work_is_the_graphs_work(family):
    architecture = small(family)
    assert SPACE.macs(architecture) == load_graph(SPACE.to_onnx(architecture)).macs


def test_export_style_changes_nodes_but_not_results():
    plain, chained = small("mobile"), small("mobile", shapes="chain", constants="node", pooling="mean", linear="matmul")
    graphs = [load_graph(SPACE.to_onnx(item)) for item in (plain, chained)]
    assert graphs[0].operators != graphs[1].operators
    first, second = (next(iter(run(item).values())).shape for item in (plain, chained))
    assert first == second


def test_folded_normalisation_has_no_nodes():
    folded = load_graph(SPACE.to_onnx(small("residual", norm="folded"))).operators
    separate = load_graph(SPACE.to_onnx(small("residual"))).operators
    assert "BatchNormalization" not in folded
    assert separate["BatchNormalization"] == separate["Conv"] == folded["Conv"]


def test_order_does_not_matter_and_defaults_are_written_out():
    text = SPACE.parse("residual/width=48,depth=8").text
    assert text == SPACE.parse("residual/depth=8,width=48").text
    assert "activation=relu" in text


def test_samples_cover_families_and_three_orders_of_magnitude():
    rng = np.random.default_rng(0)
    drawn = [SPACE.sample(rng) for _ in range(150)]
    macs = np.array([SPACE.macs(item) for item in drawn])
    assert {item.text.partition("/")[0] for item in drawn} == set(FAMILIES)
    assert macs.max() <= SPACE.max_macs
    low, high = np.quantile(macs, [0.05, 0.95])
    assert high / low > 1000


def test_neighbours_differ_in_one_field():
    architecture = small("residual")
    fields = architecture.text.partition("/")[2].split(",")
    for neighbour in SPACE.neighbours(architecture):
        others = neighbour.text.partition("/")[2].split(",")
        assert sum(one != other for one, other in zip(fields, others, strict=True)) == 1


def test_errors_say_where_and_what_is_allowed():
    with pytest.raises(InvalidArchitectureError, match=r"at character 15, depth is 'deep' but must be an integer from"):
        SPACE.parse("residual/depth=deep")
    with pytest.raises(InvalidArchitectureError, match=r"needs .* GMACs and the limit is 4; make it smaller"):
        SPACE.parse("residual/width=192,depth=33,resolution=320")
    with pytest.raises(InvalidArchitectureError, match="resolution 32 is not a multiple of patch 14"):
        SPACE.parse("vision_transformer/patch=14,resolution=32")


@settings(max_examples=200, deadline=None)
@given(st.text(max_size=60) | st.from_regex(r"(residual|mlp|unet)/([a-z]{1,9}=[a-z0-9]{0,4},?){0,4}", fullmatch=True))
def test_any_text_is_parsed_or_refused_with_a_place(text):
    said = outcome(text)
    assert "at character" in said or SPACE.parse(said).text == said


@settings(max_examples=30, deadline=None)
@given(st.integers(0, 2**32), st.data())
def test_damage_is_refused_or_leads_to_another_valid_text(seed, data):
    text = SPACE.sample(np.random.default_rng(seed)).text
    place = data.draw(st.integers(0, len(text) - 1))
    damaged = text[:place] + data.draw(st.sampled_from(["", ",", "=", "9", "x", "/"])) + text[place + 1 :]
    said = outcome(damaged)
    assert "at character" in said or SPACE.parse(said).text == said
