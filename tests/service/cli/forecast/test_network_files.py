"""Lists of networks: lines, tables and manifests; what is wrong is said with its line."""

import io
import json
import sys
from pathlib import Path

import onnx
import pytest
import typer
from onnx import TensorProto, helper

from latcast import item
from latcast.schema import InputError
from service.cli.forecast.network_files import networks_of, read_networks
from service.cli.forecast.networks import Network
from service.cli.shapes import parse_curve

CURVE, NONE = parse_curve(None, ["n=1,2"]), parse_curve(None, None)


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
    for text in (
        '[\n{"onnx": "~/m.onnx", "name": "mine",\n"dims": {"n": 3}}]',
        '{\n"onnx": "m.onnx",\n"dims": {"n": 3}}',
    ):
        (found,) = read(tmp_path / "a.json", text)
        assert found.item == item(onnx=b"model", dims={"n": 3})


def test_standard_input_is_a_list(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(sys, "stdin", io.TextIOWrapper(io.BytesIO(b"a\nb\n")))
    assert [one.name for one in read_networks("-", space="toy", graph=False, curve=CURVE)] == ["a", "b"]


@pytest.mark.parametrize(
    ("name", "text", "words"),
    [
        ("a.jsonl", '{"onnx": "m.onnx"\n', r"line 1: This is no JSON object such as \{"),
        ("a.jsonl", '\n{"name": "x"}', "line 2: It has to name a network by one of"),
        ("a.jsonl", '{"text": "t"}', "line 1: It names no search space"),
        ("a.jsonl", '{"onnx": "gone.onnx"}', "gone.onnx"),
        ("a.jsonl", '{"onnx": "a.jsonl", "dims": {"n": "1"}}', "'dims' has to be an object"),
        ("a.jsonl", '{"onnx": "a.jsonl", "shapes": [1]}', "'shapes' has to be an object"),
        ("a.jsonl", '{"onnx": "a.jsonl", "shapes": {"x": [1, "3"]}}', "'shapes' has to be an object of whole sizes"),
        (
            "a.jsonl",
            '{"onnx": "a.jsonl", "dims": {"n": -1}}',
            "line 1: 'dims' has to be an object of whole sizes from 0",
        ),
        ("a.jsonl", '{"onnx": "a\\u0000b"}', "is no path of a file"),
        ("a.jsonl", '{"onnx": "~a\\u0000b"}', "is no path of a file"),
        ("a.jsonl", '{"onnx": "\\ud800"}', "is no path of a file"),
        ("a.csv", 'text\n"' + "a" * 140_000, "Line 2 of the table cannot be read .* quotation mark open"),
        ("a.jsonl", "", "names no network"),
        ("a.json", '[{"onnx": "m.onnx"}', "a.json is no JSON"),
        ("a.json", "[1]", "entry 1: This is no JSON object"),
        (
            "a.csv",
            "name,ms\nx,1",
            "lacks the column 'text'; its columns are: name, ms. .* called text, architecture, arch",
        ),
        ("a.txt", "# nothing", "names no network"),
        ("a.txt", b"\x08\x03\xff\xff", "no text in UTF-8"),
        ("a.txt", b"\x08\x03\0\0", "is no text. A model is given without --file"),
        ("a.csv", b"PK\x03\x04\x14\0", "a ZIP archive or an Excel workbook: save the sheet as CSV"),
        (
            "a.csv",
            b"\x1f\x8b\x08\0",
            r"is packed with gzip: run `gunzip -c < .*a\.csv'? > .*a-unpacked\.csv'?`, and give",
        ),
        ("a.csv", b"PAR1\x15\x04", "a Parquet file: `latcast score` reads one"),
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


@pytest.mark.parametrize(("space", "graph"), [("toy", False), (None, True)])
def test_sizes_for_what_has_its_own_are_refused(space: str | None, graph: bool) -> None:
    assert len(networks_of(["a", "b"], None, space=space, graph=graph, curve=NONE)) == 2
    with pytest.raises(typer.BadParameter, match="bind the open sizes of ONNX files"):
        networks_of(["a", "b"], None, space=space, graph=graph, curve=CURVE)


def test_inputs_for_what_is_no_torch_module_are_refused(tmp_path: Path) -> None:
    with pytest.raises(typer.BadParameter, match=r"--input is for torch modules .* with --shape"):
        networks_of([open_model(tmp_path / "a.onnx", "n")], None, space=None, graph=False, curve=NONE, inputs=["1,3"])


def open_model(path: Path, *symbols: str, name: str = "x") -> str:
    """A model file whose one input has these dimensions."""
    inputs = [helper.make_tensor_value_info(name, TensorProto.FLOAT, symbols)]
    graph = helper.make_graph(
        [helper.make_node("Relu", [name], ["y"])], "g", inputs, [helper.make_empty_tensor_value_info("y")]
    )
    onnx.save(helper.make_model(graph, opset_imports=[helper.make_opsetid("", 17)], ir_version=8), path)
    return str(path)


def test_each_of_several_files_takes_the_sizes_that_it_has_a_place_for(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    both, one = open_model(tmp_path / "both.onnx", "n", "seq"), open_model(tmp_path / "one.onnx", "n", name="image")
    listed = tmp_path / "models.csv"
    listed.write_text(f"onnx,name\n{one},listed\n")
    curve = parse_curve(["image=4"], ["n=1,2", "seq=8,9"])
    found = networks_of([both, one], [str(listed)], space=None, graph=False, curve=curve)
    points = [{"n": 1, "seq": 8}, {"n": 1, "seq": 9}, {"n": 2, "seq": 8}, {"n": 2, "seq": 9}]
    assert [(network.name, network.item["dims"]) for network in found] == [
        *((both, point) for point in points), (one, {"n": 1}), (one, {"n": 2}),
        ("listed", {"n": 1}), ("listed", {"n": 2}),
    ]  # fmt: skip
    assert [network.item.get("shapes") for network in found] == [None] * 4 + [{"image": [4]}] * 4
    assert found[4].label == f"{one} (n=1)"
    said = " ".join(capsys.readouterr().err.split())
    assert f"{both}: taken without --shape image: nothing is called so there." in said
    assert f"{one}, listed: taken without --dim seq: nothing is called so there." in said


@pytest.mark.parametrize(
    ("shapes", "dims", "words"),
    [
        (None, ["n=1", "sek=2"], r"--dim names the symbol 'sek', which none of the files has\. Did you mean 'seq'\? "
         r"Their symbols are: n, seq, m\."),
        (["y=1"], None, r"--shape names the input 'y', which none of the files has\. Their inputs are: x\."),
    ],
)  # fmt: skip
def test_a_size_that_no_file_has_a_place_for_is_named(
    tmp_path: Path, shapes: list[str] | None, dims: list[str] | None, words: str
) -> None:
    files = [open_model(tmp_path / "a.onnx", "n", "seq"), open_model(tmp_path / "b.onnx", "m")]
    with pytest.raises(InputError, match=words):
        networks_of(files, None, space=None, graph=False, curve=parse_curve(shapes, dims))


def test_what_is_no_model_gets_all_sizes_and_spoils_no_other(tmp_path: Path) -> None:
    (tmp_path / "broken.onnx").write_bytes(b"model")
    files = [str(tmp_path / "broken.onnx"), open_model(tmp_path / "a.onnx", "m")]
    found = networks_of(files, None, space=None, graph=False, curve=parse_curve(None, ["n=1,2", "m=3"]))
    assert [network.item.get("dims") for network in found] == [{"n": 1, "m": 3}, {"n": 2, "m": 3}, {"m": 3}]


def test_one_of_several_files_that_cannot_be_read_is_its_own_error(tmp_path: Path) -> None:
    here = open_model(tmp_path / "a.onnx", "n")
    gone, found = networks_of(["gone.onnx", here], None, space=None, graph=False, curve=parse_curve(None, ["n=2"]))
    assert "Cannot read 'gone.onnx'" in str(gone.problem)
    assert found.item["dims"] == {"n": 2}
    assert all(one.problem for one in networks_of(["b", "c"], None, space=None, graph=False, curve=CURVE))
    with pytest.raises(InputError, match=r"Cannot read 'gone\.onnx'"):
        networks_of(["gone.onnx"], None, space=None, graph=False, curve=NONE)


def test_one_of_a_manifest_that_cannot_be_read_is_its_own_error(tmp_path: Path) -> None:
    open_model(tmp_path / "a.onnx", "n")
    (tmp_path / "folder.onnx").mkdir()
    listed = tmp_path / "models.jsonl"
    named = {"first": "gone.onnx", "second": "a.onnx", "third": "folder.onnx"}
    lines = [json.dumps({"onnx": file, "name": name, "dims": {"n": 3}}) for name, file in named.items()]
    listed.write_text("\n".join(lines))
    plain = tmp_path / "models.txt"
    plain.write_text(f"{tmp_path}/a.onnx\n{tmp_path}/gone.onnx\n")
    first, second, third, fourth, fifth = networks_of(
        [], [str(listed), str(plain)], space=None, graph=False, curve=parse_curve(None, ["n=2"])
    )
    assert [one.name for one in (first, second, third)] == ["first", "second", "third"]
    assert "Cannot read" in str(first.problem)
    assert "directory" in str(third.problem)
    assert "gone.onnx" in str(fifth.problem)
    assert [one.item["dims"] for one in (second, fourth)] == [{"n": 3}, {"n": 2}]


def test_patterns_that_no_shell_expanded_are_the_files_that_fit(tmp_path: Path) -> None:
    files = [open_model(tmp_path / name, "n") for name in ("a.onnx", "b.onnx", "odd[1].onnx")]
    listed = tmp_path / "nets.txt"
    listed.write_text(f"{tmp_path}/[ab].onnx\n")
    curve = parse_curve(None, ["n=2"])
    found = networks_of([f"{tmp_path}/*.onnx", files[2]], [str(listed)], space=None, graph=False, curve=curve)
    assert [one.name for one in found] == [*files, files[2], *files[:2]]
    with pytest.raises(InputError, match="No file fits that pattern"):
        networks_of([f"{tmp_path}/*.pb"], None, space=None, graph=False, curve=curve)
    assert networks_of(["[4 0 3 1 4 3]"], None, space="toy", graph=False, curve=NONE)[0].name == "[4 0 3 1 4 3]"
    with pytest.raises(InputError, match=r"File name too long.*search space|No file fits"):
        networks_of(["{'ks': [" + "7," * 300], None, space=None, graph=False, curve=curve)


def test_naming_nothing_is_wrong_usage() -> None:
    with pytest.raises(typer.BadParameter, match="--file"):
        networks_of([], None, space=None, graph=False, curve=CURVE)


MALFORMED = {
    '{"onnx": "a.onnx"': "This is no JSON object such as",
    "[1]": "This is no JSON object such as",
    '{"name": "mine"}': "It has to name a network by one of",
    '{"onnx": "a.onnx", "text": "t", "space": "toy"}': "It has to name a network by one of",
    '{"text": "t"}': "It names no search space",
    '{"onnx": "a.onnx", "dims": {"n": 1.5}}': "'dims' has to be",
    '{"onnx": "a.onnx", "shapes": {"x": [1, -3]}}': "'shapes' has to be",
}


def test_a_malformed_line_is_a_row_with_its_number_and_spoils_no_other(tmp_path: Path) -> None:
    open_model(tmp_path / "a.onnx", "n")
    good = '{"onnx": "a.onnx", "name": "good", "dims": {"n": 3}}'
    path = tmp_path / "models.jsonl"
    path.write_text("\n".join(["", *(f"{line}\n{good}" for line in MALFORMED)]))
    found = networks_of([], [str(path)], space=None, graph=False, curve=NONE)
    bad, fine = found[::2], found[1::2]
    assert [one.name for one in bad] == [f"{path} line {2 * place}" for place in range(1, 1 + len(MALFORMED))]
    assert [one.name for one in fine] == ["good"] * len(MALFORMED)
    assert all(one.problem is None and one.item["dims"] == {"n": 3} for one in fine)
    for one, words in zip(bad, MALFORMED.values(), strict=True):
        assert str(one.problem).startswith(words)


def test_a_malformed_entry_or_row_spoils_no_other(tmp_path: Path) -> None:
    listed = read(tmp_path / "a.json", '[{"graph": "g1-x"}, 3, {"name": "n"}]')
    assert [one.name for one in listed] == ["g1-x", f"{tmp_path}/a.json entry 2", f"{tmp_path}/a.json entry 3"]
    assert [one.problem is None for one in listed] == [True, False, False]
    rows = read(tmp_path / "a.csv", "name;text;space\nfirst;a;toy\nsecond;;toy\nthird;c;\n")
    assert [one.name for one in rows] == ["first", f"{tmp_path}/a.csv line 3", f"{tmp_path}/a.csv line 4"]
    assert "one of 'onnx', 'text'" in str(rows[1].problem)
    assert "search space" in str(rows[2].problem)


def test_only_what_ends_lines_in_editors_ends_a_line(tmp_path: Path) -> None:
    """Names may hold the separators of Unicode, which JSON and text files keep as they are."""
    name = "a\u2028b\x0bc\x85 \N{GRINNING FACE}"
    lines = [json.dumps({"graph": "g1-x", "name": name.replace("\x0b", "")}, ensure_ascii=False), '{"graph": 1}']
    first, second = read(tmp_path / "a.jsonl", "\r\n".join(lines))
    assert first.name == name.replace("\x0b", "")
    assert second.name.endswith("line 2")
    assert [one.name for one in read(tmp_path / "a.txt", f"{name}\rb\n", space="toy")] == [name, "b"]
