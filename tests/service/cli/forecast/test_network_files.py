"""Lists of networks: lines, tables and manifests; what is wrong is said with its line."""

import io
import sys
from pathlib import Path

import pytest
import typer

from latcast import item
from latcast.schema import InputError
from service.cli.forecast.network_files import networks_of, read_networks
from service.cli.forecast.networks import Network
from service.cli.shapes import parse_curve

CURVE = parse_curve(None, ["n=1,2"])


def read(path: Path, text: str | bytes, *, space: str | None = None, graph: bool = False) -> list[Network]:
    path.write_bytes(text if isinstance(text, bytes) else text.encode())
    return read_networks(str(path), space=space, graph=graph, curve=CURVE)


def test_a_text_file_has_a_network_a_line(tmp_path: Path) -> None:
    found = read(tmp_path / "texts.txt", "a|b\n\n# a remark\n  c d \n", space="toy")
    assert [network.item for network in found] == [item(space="toy", text="a|b"), item(space="toy", text="c d")]
    assert [network.name for network in read(tmp_path / "hashes", "g1-x\ng1-y", graph=True)] == ["g1-x", "g1-y"]


def test_a_manifest_names_files_beside_it_with_their_sizes(tmp_path: Path) -> None:
    (tmp_path / "m.onnx").write_bytes(b"model")
    lines = [
        '{"onnx": "m.onnx", "name": "mine", "shapes": {"x": [1, 3]}, "dims": {"k": 4}}',
        '{"onnx": "m.onnx"}',
        '{"space": "toy", "text": "t"}',
        '{"graph": "g1-x"}',
    ]
    found = read(tmp_path / "manifest.jsonl", "\n".join(lines))
    assert [network.label for network in found] == ["mine", "m.onnx (n=1)", "m.onnx (n=2)", "t", "g1-x"]
    assert found[0].item == item(onnx=b"model", shapes={"x": (1, 3)}, dims={"k": 4})
    assert found[0].described() == {"network": "mine", "dims": {"k": 4}}
    assert found[2].item == item(onnx=b"model", dims={"n": 2})
    assert found[3].item == item(space="toy", text="t")


@pytest.mark.parametrize("delimiter", [",", ";", "\t"])
def test_a_table_has_texts_in_a_column(tmp_path: Path, delimiter: str) -> None:
    rows = [["name", "text", "ms"], ["first", "a", "1"], ["", "b", "2"]]
    text = "\r\n".join(delimiter.join(row) for row in rows)
    found = read(tmp_path / "archs.csv", ("\ufeff" + text).encode(), space="toy")
    assert [(network.name, network.item["text"]) for network in found] == [("first", "a"), ("b", "b")]
    assert read(tmp_path / "archs.csv", text.encode("utf-16"), space="toy")[1].name == "b"


@pytest.mark.parametrize("header", ["Name,Arch", "name,architecture", "Name,arch_str", "name , config"])
def test_columns_have_the_names_that_people_use(tmp_path: Path, header: str) -> None:
    (found,) = read(tmp_path / "archs.csv", f"sep=,\n{header}\nfirst,a\n", space="toy")
    assert (found.name, found.item["text"]) == ("first", "a")


def test_a_table_and_a_list_name_files_too(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (tmp_path / "m.onnx").write_bytes(b"model")
    assert [one.label for one in read(tmp_path / "a.csv", "onnx;name\nm.onnx;mine\n")] == ["mine (n=1)", "mine (n=2)"]
    monkeypatch.setenv("HOME", str(tmp_path))
    (found,) = read(tmp_path / "a.json", '[\n{"onnx": "~/m.onnx", "name": "mine",\n"dims": {"n": 3}}]')
    assert found.item == item(onnx=b"model", dims={"n": 3})


def test_standard_input_is_a_list(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(sys, "stdin", io.TextIOWrapper(io.BytesIO(b"a\nb\n")))
    assert [one.name for one in read_networks("-", space="toy", graph=False, curve=CURVE)] == ["a", "b"]


@pytest.mark.parametrize(
    ("name", "text", "words"),
    [
        ("a.jsonl", '{"onnx": "m.onnx"\n', "line 1 is no JSON object"),
        ("a.jsonl", '\n{"name": "x"}', "line 2 has to name a network by one of"),
        ("a.jsonl", '{"text": "t"}', "line 1 names no search space"),
        ("a.jsonl", '{"onnx": "gone.onnx"}', "gone.onnx"),
        ("a.jsonl", '{"onnx": "a.jsonl", "dims": {"n": "1"}}', "'dims' has to be an object"),
        ("a.jsonl", '{"onnx": "a.jsonl", "shapes": [1]}', "'shapes' has to be an object"),
        ("a.jsonl", "", "names no network"),
        ("a.json", '[{"onnx": "m.onnx"}', "a.json is no JSON"),
        ("a.json", "[1]", "entry 1 is no JSON object"),
        ("a.csv", "name,ms\nx,1", "lacks the column 'text'; its columns are: name, ms"),
        ("a.txt", "# nothing", "names no network"),
        ("a.txt", b"\x08\x03\xff\xff", "no text in UTF-8"),
    ],
)
def test_mistakes_are_named(tmp_path: Path, name: str, text: str | bytes, words: str) -> None:
    with pytest.raises(InputError, match=words):
        read(tmp_path / name, text)


def test_a_list_that_is_not_there_is_named(tmp_path: Path) -> None:
    with pytest.raises(InputError, match=r"none\.txt' cannot be read"):
        read_networks(str(tmp_path / "none.txt"), space=None, graph=False, curve=CURVE)


def test_a_file_is_asked_about_at_each_point_of_a_curve(tmp_path: Path) -> None:
    path = tmp_path / "m.onnx"
    path.write_bytes(b"model")
    curve = parse_curve(["x=1,3"], ["n=1,2"])
    found = networks_of([str(path)], None, space=None, graph=False, curve=curve)
    assert [network.item["dims"] for network in found] == [{"n": 1}, {"n": 2}]
    assert [network.label for network in found] == [f"{path} (n=1)", f"{path} (n=2)"]
    assert len(networks_of(["a", "b"], None, space="toy", graph=False, curve=curve)) == 2


def test_naming_nothing_is_wrong_usage() -> None:
    with pytest.raises(typer.BadParameter, match="--file"):
        networks_of([], None, space=None, graph=False, curve=CURVE)
