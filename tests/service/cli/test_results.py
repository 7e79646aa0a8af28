"""Where results go: people's text and JSON, places that cannot be written, failures by name."""

import json
from pathlib import Path

import pytest
import typer

from latcast.errors import ConflictError, NotFoundError, UnavailableError
from latcast.schema import InputError, LatcastError
from service.cli.results import check_writable, deliver, done_for_each, fail_each, writable, write_json
from service.cli.tables import echo


def test_json_is_written_to_a_file_or_to_standard_output(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    value = {"name": "naïve ×2"}
    write_json(value, "-")
    write_json(value, str(tmp_path / "out.json"))
    text = (tmp_path / "out.json").read_text(encoding="utf-8")
    assert capsys.readouterr().out == text
    assert json.loads(text) == value
    assert "naïve ×2" in text


@pytest.mark.parametrize(
    ("json_out", "printed", "written"), [(None, True, False), ("-", False, False), ("f", True, True)]
)
def test_a_result_is_for_people_unless_json_takes_its_place(
    json_out: str | None, printed: bool, written: bool, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    place = str(tmp_path / "f") if json_out == "f" else json_out
    deliver({"ms": 1.5}, place, lambda: echo("1.5 ms"))
    assert capsys.readouterr().out == ("1.5 ms\n" if printed else '{\n  "ms": 1.5\n}\n')
    assert (tmp_path / "f").exists() == written


def test_what_people_read_is_printed_before_a_file_fails(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(InputError, match="cannot be written"):
        deliver({}, str(tmp_path), lambda: echo("kept"))
    assert capsys.readouterr().out == "kept\n"


def test_places_are_looked_at_before_the_work(tmp_path: Path) -> None:
    check_writable(None)
    check_writable("-")
    assert writable(tmp_path / "new.json") == tmp_path / "new.json"
    with pytest.raises(InputError, match=r"there is no folder .*missing.*make it first"):
        writable(str(tmp_path / "missing" / "out.json"))
    with pytest.raises(InputError, match="it is a folder"):
        check_writable(str(tmp_path))


@pytest.mark.parametrize("error", [ConflictError("It ran."), NotFoundError("It is gone."), InputError("It is odd.")])
def test_what_is_wrong_with_one_keeps_no_other_from_being_done(error: LatcastError) -> None:
    def work(name: str) -> str:
        if name == "bad":
            raise error
        return name.upper()

    assert done_for_each(["a", "bad", "b"], work) == (["A", "B"], [("bad", str(error))])
    with pytest.raises(type(error), match=str(error)):
        done_for_each(["bad"], work)


def test_what_concerns_all_is_said_once() -> None:
    asked: list[str] = []

    def work(name: str) -> None:
        asked.append(name)
        raise UnavailableError("Nobody is there.")

    with pytest.raises(UnavailableError):
        done_for_each(["a", "b"], work)
    assert asked == ["a"]


def test_failures_are_named_and_end_the_command(capsys: pytest.CaptureFixture[str]) -> None:
    fail_each([])
    with pytest.raises(typer.Exit) as ended:
        fail_each([("a.onnx", "It is empty."), ("b.onnx", "It is none.")])
    assert ended.value.exit_code == 1
    assert capsys.readouterr().err == "latcast: a.onnx: It is empty.\nlatcast: b.onnx: It is none.\n"
