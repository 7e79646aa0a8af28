"""`--shape` has one syntax, and says what is wrong with a text."""

import pytest
import typer

from service.cli.shapes import parse_curve, parse_input, parse_shapes, parse_sizes


@pytest.mark.parametrize(
    ("text", "name", "shape"),
    [
        ("x=1,3,224,224", "x", (1, 3, 224, 224)),
        ("x=1x3x224x224", "x", (1, 3, 224, 224)),
        ("x=1X3×224", "x", (1, 3, 224)),
        ("x=[1, 3, 224]", "x", (1, 3, 224)),
        ("x=(7)", "x", (7,)),
        ("x=0,4", "x", (0, 4)),
        ("s=", "s", ()),
        ("s=[]", "s", ()),
        ("serving_default_input:0=1,8", "serving_default_input:0", (1, 8)),
        ("a=b=2", "a=b", (2,)),
        ("input ids=2,5", "input ids", (2, 5)),
        ("box=2", "box", (2,)),
    ],
)
def test_every_form_is_read(text: str, name: str, shape: tuple[int, ...]) -> None:
    assert parse_shapes([text]) == {name: shape}
    assert parse_input(text.rpartition("=")[2]) == shape


def test_several_inputs_are_read() -> None:
    assert parse_shapes(["a=1", "b=2x3"]) == {"a": (1,), "b": (2, 3)}
    assert parse_shapes([]) == {}


@pytest.mark.parametrize(
    ("texts", "words"),
    [
        (["x:1"], "has no '='"),
        (["=1,2"], "names no input"),
        (["x=1,n"], "the size 'n' is not a whole number"),
        (["x=1,-1"], "the size '-1' is not a whole number"),
        (["x=1.5"], "the size '1.5' is not a whole number"),
        (["x=²"], "is not a whole number"),
        (["x=1,,3"], "a size is missing"),
        (["x=1,3,"], "a size is missing"),
        (["x=[1,3"], "bracket"),
        (["x=1,3)"], "bracket"),
        (["x=[1,3)"], "bracket"),
        (["x=1", "x=2"], "'x' twice"),
    ],
)
def test_mistakes_are_named(texts: list[str], words: str) -> None:
    with pytest.raises(typer.BadParameter, match="--shape") as caught:
        parse_shapes(texts)
    assert words in str(caught.value)


@pytest.mark.parametrize("text", ["1;3", "1,,3", "[1,3", "n"])
def test_mistakes_in_inputs_are_named(text: str) -> None:
    with pytest.raises(typer.BadParameter) as caught:
        parse_input(text)
    assert f"--input {text!r}" in str(caught.value)
    assert "write it as 1,3,224,224." in str(caught.value)


def test_symbols_have_sizes_beside_whole_shapes() -> None:
    sizes = parse_sizes(["x=1,3"], ["batch=2", "a=b=4", "past length=0"])
    assert sizes.shapes == {"x": (1, 3)}
    assert sizes.dims == {"batch": 2, "a=b": 4, "past length": 0}
    assert sizes.label == ""


def test_several_sizes_of_symbols_make_a_curve_of_all_combinations() -> None:
    curve = parse_curve(None, ["batch=1,2", "seq=8", "heads=[4,4,2]"])
    assert [tuple(point.dims.values()) for point in curve] == [(1, 8, 4), (1, 8, 2), (2, 8, 4), (2, 8, 2)]
    assert [point.label for point in curve][-1] == "batch=2, heads=2"
    assert [point.elements for point in curve] == [4, 2, 8, 4]
    assert [point.dims for point in parse_curve([], [])] == [{}]


@pytest.mark.parametrize(
    ("dims", "words"),
    [
        (["batch"], "has no '='"),
        (["batch="], "has no size"),
        (["=2"], "names no symbol"),
        (["batch=n"], "the size 'n' is not a whole number"),
        (["n=1", "n=2"], "the symbol 'n' twice"),
        ([f"{name}={','.join(map(str, range(11)))}" for name in "abc"], "more than 1,000 combinations"),
    ],
)
def test_mistakes_in_dims_are_named(dims: list[str], words: str) -> None:
    with pytest.raises(typer.BadParameter, match="--dim") as caught:
        parse_curve(None, dims)
    assert words in str(caught.value)


def test_a_command_of_one_network_takes_one_size_of_a_symbol() -> None:
    with pytest.raises(typer.BadParameter, match="'n' several sizes"):
        parse_sizes(None, ["n=1,2"])
