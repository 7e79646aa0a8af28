"""Manifests: what they say, and what becomes of lines that say nothing sensible."""

import gzip
import json
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from latcast.schema import InputError
from predictors.evaluation.onnx import read_manifest

GOOD = '{"name": "a", "onnx": "a.onnx", "feeds": null, "shapes": {"x": [1, 3]}}'


def _read(folder: Path, *lines: str | bytes) -> object:
    path = folder / "m.jsonl"
    path.write_bytes(b"\n".join(line if isinstance(line, bytes) else line.encode() for line in lines))
    return read_manifest(path)


def test_paths_are_relative_to_the_manifest(tmp_path):
    absolute = json.dumps({"name": "b", "onnx": "/models/b.onnx", "feeds": "b.npz"})
    manifest = _read(tmp_path, GOOD, "", absolute)
    first, second = manifest.entries
    assert (first.onnx, first.feeds, first.shapes) == (tmp_path / "a.onnx", None, {"x": (1, 3)})
    assert (second.onnx, second.feeds, second.shapes) == (Path("/models/b.onnx"), tmp_path / "b.npz", {})
    assert not manifest.failed


@pytest.mark.parametrize(
    ("line", "words"),
    [
        ("nonsense", "no JSON"),
        (b"\xff\xfe\x00", "no JSON"),
        ("[" * 100_000, "no JSON"),
        ("[1, 2]", "no JSON object"),
        ('{"onnx": "a.onnx"}', "name"),
        ('{"name": "", "onnx": "a.onnx"}', "name"),
        ('{"name": "a\\u0007b", "onnx": "a.onnx"}', "name"),
        ('{"name": "b"}', "'onnx'"),
        ('{"name": "b", "onnx": "x\\u0000y"}', "'onnx'"),
        ('{"name": "b", "onnx": "b.onnx", "feeds": 3}', "'feeds'"),
        ('{"name": "b", "onnx": "b.onnx", "shapes": [1]}', "'shapes'"),
        ('{"name": "b", "onnx": "b.onnx", "shapes": {"x": [1.5]}}', "shape of"),
        ('{"name": "b", "onnx": "b.onnx", "shapes": {"x": [true]}}', "shape of"),
        ('{"name": "b", "onnx": "b.onnx", "shapes": {"x": [-1]}}', "shape of"),
        (GOOD, "was there before"),
        (json.dumps({"name": "b", "onnx": "b" * 2**20}), "enough"),
    ],
)
def test_a_bad_line_is_left_out_with_its_number(tmp_path, line, words):
    manifest = _read(tmp_path, GOOD, line)
    assert [entry.name for entry in manifest.entries] == ["a"]
    (failure,) = manifest.failed
    assert (failure.name, failure.stage) == ("line 2", "manifest")
    assert failure.message.startswith("Line 2 of the manifest")
    assert words in failure.message
    assert len(failure.message) < 400


def test_a_manifest_without_models_is_refused(tmp_path):
    with pytest.raises(InputError, match="Line 1"):
        _read(tmp_path, "nonsense")
    with pytest.raises(InputError, match="empty"):
        _read(tmp_path, "")
    with pytest.raises(InputError, match="cannot be read"):
        read_manifest(tmp_path / "missing.jsonl")


VALUES = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(),
    lambda inner: st.lists(inner) | st.dictionaries(st.text() | st.just("x"), inner),
    max_leaves=8,
)


@settings(max_examples=60, deadline=None)
@given(members=st.fixed_dictionaries({}, optional=dict.fromkeys(("name", "onnx", "feeds", "shapes", "z"), VALUES)))
def test_whatever_a_line_says_it_is_a_model_or_a_sentence(tmp_path_factory, members):
    manifest = _read(tmp_path_factory.mktemp("m"), GOOD, json.dumps(members))
    assert len(manifest.entries) + len(manifest.failed) == 2


def test_a_packed_manifest_is_named_with_the_command_that_unpacks_it(tmp_path):
    path = tmp_path / "m.jsonl.gz"
    path.write_bytes(gzip.compress(GOOD.encode()))
    with pytest.raises(
        InputError, match=r"is packed with gzip: run `gunzip -k .*m\.jsonl\.gz'?`, and give '.*m\.jsonl'"
    ):
        read_manifest(path)
