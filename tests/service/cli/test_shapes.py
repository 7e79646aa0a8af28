"""`--shape` has one syntax, and says what is wrong with a text."""

import pytest
import typer

from service.cli.shapes import parse_shapes


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
