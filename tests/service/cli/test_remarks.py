"""Remarks below a table: each sentence once, with the networks that it is about."""

from io import StringIO

from rich.console import Console

from service.cli.remarks import say_remarks


def printed(*remarks: tuple[str, list[str]]) -> str:
    out = Console(file=StringIO(), width=200)
    say_remarks(remarks, out)
    return out.file.getvalue()  # type: ignore[attr-defined]


def test_a_sentence_is_printed_once_with_all_that_it_is_about() -> None:
    said = printed(("a.onnx", ["It is odd.", "It is old."]), ("b.onnx", ["It is odd."]), ("c.onnx", []))
    assert said.splitlines() == ["a.onnx, b.onnx: It is odd.", "a.onnx: It is old."]


def test_many_networks_are_counted_and_one_without_a_name_is_none() -> None:
    assert printed(*[(f"{index}.onnx", ["Odd."]) for index in range(5)]) == "0.onnx, 1.onnx, 2.onnx and 2 more: Odd.\n"
    assert printed(("", ["Odd."])) == "Odd.\n"
    assert printed(("a.onnx", [])) == ""
