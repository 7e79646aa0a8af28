"""Artifacts as bytes: round trips, digests, and damage that is noticed."""

import json
import subprocess
import sys
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra import numpy as hnp
from numpy.testing import assert_array_equal
from safetensors.numpy import save

from latcast.schema import ArtifactError
from predictors.artifact import FORMAT_VERSION, Artifact, text_from_array, text_to_array

DTYPES = st.sampled_from(["<f8", "<f4", "<f2", "<i8", "<i4", "|i1", "|u1", "|b1", ">f8", ">i4"])
SHAPES = hnp.array_shapes(min_dims=0, max_dims=3, min_side=0, max_side=4)
ARRAYS = DTYPES.flatmap(lambda dtype: hnp.arrays(dtype, SHAPES))
NAMES = st.text(min_size=1, max_size=8).filter(lambda name: name != "__metadata__")
JSON = st.recursive(
    st.none()
    | st.booleans()
    | st.integers(-(2**60), 2**60)
    | st.floats(allow_nan=False, allow_infinity=False)
    | st.text(),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(), inner, max_size=3),
    max_leaves=8,
)


def example(**changes: Any) -> Artifact:
    artifact = Artifact(
        kind="flops",
        hyperparameters={"folds": 5, "name": "é"},
        seed=3,
        arrays={"weights": np.arange(6.0).reshape(2, 3), "flags": np.array([True, False]), "scale": np.array(2.5)},
        vocabulary={"targets": ["b", "a"]},
        feature_version="flat-1",
        dataset_digest="d" * 64,
        library_versions={"numpy": "2.0"},
        metrics={"spearman": 0.9, "mape": None},
        meta={"note": "x"},
    )
    return replace(artifact, **changes)


@given(arrays=st.dictionaries(NAMES, ARRAYS, max_size=4), meta=st.dictionaries(st.text(), JSON, max_size=3))
def test_bytes_give_the_artifact_back(arrays: dict[str, Any], meta: dict[str, Any]) -> None:
    artifact = example(arrays=arrays, meta=meta)
    again = Artifact.from_bytes(artifact.to_bytes())
    assert replace(again, arrays={}) == replace(artifact, arrays={})
    assert set(again.arrays) == set(arrays)
    for name, array in arrays.items():
        assert again.arrays[name].shape == array.shape
        assert_array_equal(again.arrays[name], array)
    assert again.to_bytes() == artifact.to_bytes()
    assert again.digest == artifact.digest


def test_bytes_do_not_depend_on_the_process() -> None:
    code = (
        "import sys, numpy as np; from predictors.artifact import Artifact;"
        "keys = ['b', 'a', 'c', 'd']; order = keys if sys.argv[1] == '1' else keys[::-1];"
        "arrays = {k: np.full(3, i) for i, k in sorted((ord(k), k) for k in order)};"
        "artifact = Artifact(kind='k', hyperparameters={k: ord(k) for k in order}, arrays=arrays);"
        "import hashlib; print(hashlib.sha256(artifact.to_bytes()).hexdigest(), artifact.digest)"
    )
    runs = [
        subprocess.run([sys.executable, "-c", code, seed], capture_output=True, text=True, check=True,
                       env={"PYTHONHASHSEED": seed}).stdout
        for seed in ("1", "2", "3")
    ]  # fmt: skip
    assert len(set(runs)) == 1


def test_digest_follows_content_and_nothing_else() -> None:
    artifact = example()
    weights = np.asfortranarray(artifact.arrays["weights"]).astype(">f8")
    assert example(arrays={**artifact.arrays, "weights": weights}).digest == artifact.digest
    changed = [
        example(seed=4),
        example(kind="other"),
        example(meta={}),
        example(arrays={**artifact.arrays, "weights": artifact.arrays["weights"] + 1e-9}),
        example(arrays={**artifact.arrays, "weights": artifact.arrays["weights"].reshape(3, 2)}),
        example(arrays={**artifact.arrays, "scale": np.array(2.5, dtype=np.float32)}),
    ]
    assert len({artifact.digest, *(other.digest for other in changed)}) == 7


def test_saving_is_all_or_nothing(tmp_path: Path) -> None:
    path = example().save(tmp_path / "a.safetensors")
    assert Artifact.load(path).digest == example().digest
    with pytest.raises(ArtifactError):
        example(arrays={"bad": np.array([object()])}).save(path)
    assert Artifact.load(path).digest == example().digest
    assert [item.name for item in tmp_path.iterdir()] == ["a.safetensors"]


def test_every_truncation_is_noticed() -> None:
    content = example().to_bytes()
    for length in range(len(content)):
        with pytest.raises(ArtifactError):
            Artifact.from_bytes(content[:length])
    with pytest.raises(ArtifactError):
        Artifact.from_bytes(content + b"more")


@given(st.binary(max_size=200))
def test_foreign_bytes_are_refused(content: bytes) -> None:
    with pytest.raises(ArtifactError):
        Artifact.from_bytes(content)


@given(position=st.integers(0, 1500), value=st.integers(0, 255))
def test_a_changed_byte_never_crashes(position: int, value: int) -> None:
    content = bytearray(example().to_bytes())
    content[position % len(content)] = value
    try:
        result = Artifact.from_bytes(bytes(content))
    except ArtifactError:
        return
    assert isinstance(result.kind, str)


def _with_header(header: object) -> bytes:
    text = header if isinstance(header, str) else json.dumps(header)
    return bytes(save({"weights": np.zeros(2)}, metadata={"latcast": text}))


def test_headers_that_do_not_fit_are_named() -> None:
    header = json.loads(
        json.loads(example().to_bytes()[8:].split(b"\0")[0].rsplit(b"}", 1)[0] + b"}")["__metadata__"]["latcast"]
    )
    assert Artifact.from_bytes(_with_header(header)).kind == "flops"
    with pytest.raises(ArtifactError, match="update latcast"):
        Artifact.from_bytes(_with_header(header | {"format_version": FORMAT_VERSION + 1}))
    for name in header:
        with pytest.raises(ArtifactError, match=name):
            Artifact.from_bytes(_with_header({key: value for key, value in header.items() if key != name}))
        with pytest.raises(ArtifactError, match=name):
            Artifact.from_bytes(_with_header(header | {name: [1]}))


@pytest.mark.parametrize("text", ["[]", "3", "{", '"x"', "[" * 100_000, "null"])
def test_headers_that_are_no_objects_are_refused(text: str) -> None:
    with pytest.raises(ArtifactError):
        Artifact.from_bytes(_with_header(text))


def test_safetensors_of_others_are_refused() -> None:
    with pytest.raises(ArtifactError, match="not a predictor artifact"):
        Artifact.from_bytes(save({"weights": np.zeros(2)}))
    with pytest.raises(ArtifactError, match="not a predictor artifact"):
        Artifact.from_bytes(save({"weights": np.zeros(2)}, metadata={"format": "pt"}))


def test_reading_stops_at_the_limit(tmp_path: Path) -> None:
    content = example().to_bytes()
    assert Artifact.from_bytes(content, max_bytes=len(content)).kind == "flops"
    with pytest.raises(ArtifactError, match="at most"):
        Artifact.from_bytes(content, max_bytes=len(content) - 1)
    path = tmp_path / "large"
    with path.open("wb") as file:
        file.truncate(2**34)
    with pytest.raises(ArtifactError, match="large"):
        Artifact.load(path, max_bytes=1000)


def test_messages_name_the_file(tmp_path: Path) -> None:
    with pytest.raises(ArtifactError, match="absent"):
        Artifact.load(tmp_path / "absent.safetensors")
    (tmp_path / "text").write_text("hello")
    with pytest.raises(ArtifactError, match="text: This is not"):
        Artifact.load(tmp_path / "text")


@pytest.mark.parametrize("value", [float("nan"), float("inf"), object(), {1: object()}])
def test_headers_hold_json_only(value: object) -> None:
    with pytest.raises(ArtifactError, match="not JSON"):
        example(meta={"value": value}).to_bytes()


def test_numpy_values_in_headers_become_plain() -> None:
    meta = {"a": np.float64(0.5), "b": np.arange(2), "c": frozenset({"y", "x"}), "d": np.bool_(True)}
    assert Artifact.from_bytes(example(meta=meta).to_bytes()).meta == {
        "a": 0.5,
        "b": [0, 1],
        "c": ["x", "y"],
        "d": True,
    }


def test_what_is_missing_is_named() -> None:
    artifact = example()
    assert artifact.array("weights", ndim=2).shape == (2, 3)
    with pytest.raises(ArtifactError, match="'trees'"):
        artifact.array("trees")
    with pytest.raises(ArtifactError, match="2 dimensions instead of 1"):
        artifact.array("weights", ndim=1)
    with pytest.raises(ArtifactError, match="'operators'"):
        artifact.vocabulary_entry("operators")
    with pytest.raises(ArtifactError, match="flat-2"):
        artifact.require_features("flat-2")
    with pytest.raises(ArtifactError, match="'flops'"):
        artifact.require_kind("help")


@given(st.text())
def test_texts_become_bytes_and_back(text: str) -> None:
    assert text_from_array(text_to_array(text)) == text


def test_bytes_that_are_no_text_are_refused() -> None:
    with pytest.raises(ArtifactError, match="UTF-8"):
        text_from_array(np.array([255, 254], dtype=np.uint8))


def test_ids_are_renamed_in_the_header_alone() -> None:
    before = example()
    named = replace(
        before,
        vocabulary={"targets": ["a", "b"], "operators": ["ab"]},
        metrics={"by_target": {"a": 0.1, "b": 0.2}},
        meta={"a": {"of": ["b"]}},
    )
    renamed = named.renamed({"a": "new", "unknown": "x"})
    assert renamed.vocabulary == {"targets": ["new", "b"], "operators": ["ab"]}
    assert renamed.metrics == {"by_target": {"new": 0.1, "b": 0.2}}
    assert renamed.meta == {"new": {"of": ["b"]}}
    assert replace(renamed, vocabulary=named.vocabulary, metrics=named.metrics, meta=named.meta).digest == named.digest
