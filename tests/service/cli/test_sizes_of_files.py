"""Each of several files takes the sizes that it has a place for, and what none has is an error."""

import pytest

from latcast.onnx_files import DeclaredInputs
from latcast.schema import InputError
from service.cli.shapes import parse_curve
from service.cli.sizes_of_files import sizes_of_files

A, B = DeclaredInputs(("x",), ("n", "seq")), DeclaredInputs(("image", "mask"), ("n",))


def test_points_that_differ_in_what_a_file_lacks_are_one() -> None:
    curve = parse_curve(["mask=1,4"], ["n=1", "seq=8,9"])
    first, second = sizes_of_files(curve, [("a", A), ("b", B)])
    assert [(one.dims, one.shapes, one.label) for one in first] == [
        ({"n": 1, "seq": 8}, {}, "seq=8"), ({"n": 1, "seq": 9}, {}, "seq=9")
    ]  # fmt: skip
    assert [(one.dims, one.shapes, one.label) for one in second] == [({"n": 1}, {"mask": (1, 4)}, "")]


def test_nothing_is_said_of_files_that_lack_nothing(capsys: pytest.CaptureFixture[str]) -> None:
    curve = parse_curve(None, ["n=1,2"])
    assert sizes_of_files(curve, [("a", A), ("b", B)]) == [curve, curve]
    assert sizes_of_files(parse_curve(None, None), [("a", A), ("b", B)]) == [parse_curve(None, None)] * 2
    assert sizes_of_files(curve, []) == []
    assert not capsys.readouterr().err


def test_what_one_file_lacks_is_its_readers_to_say() -> None:
    curve = parse_curve(None, ["m=1,2"])
    assert sizes_of_files(curve, [("a", A)]) == [curve]


@pytest.mark.parametrize(
    ("shapes", "dims", "words"),
    [(None, ["N=1"], r"--dim names the symbol 'N', .*Did you mean 'n'\? Their symbols are: n, seq\.$"),
     (["masks=1"], ["n=1"], r"--shape names the input 'masks', .*'mask'\? Their inputs are: x, image, mask\.$")],
)  # fmt: skip
def test_what_no_file_has_is_an_error(shapes: list[str] | None, dims: list[str] | None, words: str) -> None:
    with pytest.raises(InputError, match=words):
        sizes_of_files(parse_curve(shapes, dims), [("a", A), ("b", B)])
    with pytest.raises(InputError, match=r"Their symbols are: none\."):
        sizes_of_files(parse_curve(None, ["N=1"]), [("a", DeclaredInputs((), ()))] * 2)
