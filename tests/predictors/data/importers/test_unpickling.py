"""Pickles give plain values or a refusal, and never run anything."""

import os
import pickle
import zipfile
from contextlib import suppress
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from latcast.schema import InputError
from predictors.data.importers.unpickling import load_pickle, load_torch
from tests.predictors.tables import save_torch

INTEGERS = st.integers(-(2**63), 2**64 - 1)
SCALARS = st.none() | st.booleans() | INTEGERS | st.floats(allow_nan=False) | st.text() | st.binary(max_size=8)
PLAIN = st.recursive(
    SCALARS,
    lambda inner: st.lists(inner, max_size=4) | st.dictionaries(st.text(), inner, max_size=4) | st.tuples(inner, inner),
    max_leaves=20,
)


class Hostile:
    def __init__(self, *reduce: Any) -> None:
        self.reduce = reduce

    def __reduce__(self) -> Any:
        return self.reduce


@given(PLAIN, st.integers(0, 5))
def test_plain_values_survive(value: Any, protocol: int) -> None:
    assert load_pickle(pickle.dumps(value, protocol=protocol), name="x") == value


@pytest.mark.parametrize("kind", ["i1", "i8", "u2", "f4", "f8", ">f8", "b1"])
def test_numpy_scalars_become_numbers(kind: str) -> None:
    value = np.dtype(kind).type(1)
    result = load_pickle(pickle.dumps([value], protocol=2), name="x")
    assert result == [1]
    assert type(result[0]) in (int, float, bool)


@pytest.mark.parametrize(
    ("value", "named"),
    [
        (Hostile(os.system, ("touch /tmp/owned",)), "system"),
        (Hostile(eval, ("1",)), "eval"),
        (Hostile(getattr, ("a", "b")), "getattr"),
        (Path("x"), "pathlib"),
        (np.arange(3), "_reconstruct"),
        (np.dtype("O"), "O"),
        (np.str_("x"), "U1"),
    ],
)
@pytest.mark.parametrize("protocol", [0, 2, 4])
def test_anything_else_is_refused_by_name(value: Any, named: str, protocol: int) -> None:
    with pytest.raises(InputError, match=named):
        load_pickle(pickle.dumps(value, protocol=protocol), name="table.pickle")


def test_what_builds_values_cannot_be_changed() -> None:
    for builder in (b"cnumpy\ndtype\n", b"ctorch\nFloatStorage\n", b"c_codecs\nencode\n"):
        with pytest.raises(InputError, match="change"):
            load_pickle(builder + b"(N}S'__defaults__'\n(I1\ntstb.", name="x")


@pytest.mark.parametrize(
    "data",
    [
        b"",
        b".",
        b"\x80\x04]\x94(",
        b"\x80\x02]r\xff\xff\xff\x7f.",  # a memo index that would reserve gigabytes
        b"\x80\x02\x82\x01.",  # an extension registry
        b"\x80\x05\x96\xff\xff\xff\xff\xff\xff\xff\x7f.",  # a buffer longer than memory
        b"\x80\x02c__main__\nmissing\n.",
        b"Vnot a pickle",
        b"\x80\x02}]K\x01s.",  # a list as a key
    ],
)
def test_broken_pickles_are_refused(data: bytes) -> None:
    with pytest.raises(InputError):
        load_pickle(data, name="x")


@given(st.binary(max_size=60))
def test_any_bytes_give_a_value_or_a_refusal(data: bytes) -> None:
    with suppress(InputError):
        load_pickle(b"\x80\x02" + data, name="x")


def test_files_of_torch_save_are_read_without_torch(tmp_path: Path) -> None:
    save_torch(tmp_path / "list.pt", [1.5, 2.5])
    assert load_torch(tmp_path / "list.pt") == [1.5, 2.5]


def test_tensors_become_arrays(tmp_path: Path) -> None:
    torch = pytest.importorskip("torch", reason="the extra [torch] is not installed")
    value = {
        "a": torch.arange(12, dtype=torch.float32).reshape(3, 4).T,
        "b": torch.tensor([True, False]),
        "c": torch.zeros(0, 5),
        "d": torch.tensor(7, dtype=torch.int64),
    }
    torch.save(value, tmp_path / "tensors.pt")
    result = load_torch(tmp_path / "tensors.pt")
    assert result["a"].tolist() == value["a"].tolist()
    assert result["b"].tolist() == [True, False]
    assert result["c"].size == 0
    assert result["d"] == 7


def test_tensors_that_reach_beyond_their_storage_are_refused(tmp_path: Path) -> None:
    torch = pytest.importorskip("torch", reason="the extra [torch] is not installed")
    torch.save(torch.arange(4, dtype=torch.float32), tmp_path / "t.pt")
    with zipfile.ZipFile(tmp_path / "t.pt") as archive:
        members = {name: archive.read(name) for name in archive.namelist()}
    with zipfile.ZipFile(tmp_path / "short.pt", "w") as archive:
        for name, data in members.items():
            archive.writestr(name, data[:8] if name.endswith("data/0") else data)
    with pytest.raises(InputError, match="storage"):
        load_torch(tmp_path / "short.pt")
    torch.save(torch.zeros(1).expand(1000), tmp_path / "bomb.pt")
    with pytest.raises(InputError, match="beyond its storage"):
        load_torch(tmp_path / "bomb.pt")


def test_torch_modules_are_refused(tmp_path: Path) -> None:
    torch = pytest.importorskip("torch", reason="the extra [torch] is not installed")
    torch.save(torch.nn.Linear(1, 1), tmp_path / "module.pt")
    with pytest.raises(InputError, match=r"torch\.nn"):
        load_torch(tmp_path / "module.pt")


def test_damaged_archives_are_refused(tmp_path: Path) -> None:
    path = tmp_path / "a.pt"
    save_torch(path, list(range(1000)))
    whole = path.read_bytes()
    for content in (b"", b"text", whole[: len(whole) // 2], whole[:100] + b"\xff" * 50 + whole[150:]):
        path.write_bytes(content)
        with pytest.raises(InputError, match=r"a\.pt"):
            load_torch(path)
    with zipfile.ZipFile(path, "w") as archive:
        archive.writestr("archive/other", b"")
    with pytest.raises(InputError, match=r"no data\.pkl"):
        load_torch(path)


def test_zip_bombs_are_refused(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("predictors.data.importers.unpickling.MAX_BYTES", 10_000)
    with zipfile.ZipFile(tmp_path / "bomb.pt", "w", zipfile.ZIP_DEFLATED) as archive:
        archive.writestr("archive/data.pkl", b"\x00" * 100_000)
    with pytest.raises(InputError, match="unpacks to"):
        load_torch(tmp_path / "bomb.pt")


def _nested(levels: int, leaf: Any) -> Any:
    """A tuple of a tuple twice, and so on: small in a file, with 2 to the power of `levels` leaves."""
    for _ in range(levels):
        leaf = (leaf, leaf)
    return leaf


def _reduce(module: str, name: str, arguments: Any) -> bytes:
    """A program that calls what is named with arguments that it makes."""
    return b"\x80\x02c" + f"{module}\n{name}\n".encode() + pickle.dumps(arguments, protocol=2)[2:-1] + b"R."


def _as_key(levels: int, before: bytes = b"") -> bytes:
    """A program that makes nested tuples, takes steps that leave them as they are, and uses them as a key."""
    return b"\x80\x04}" + pickle.dumps(_nested(levels, 1), protocol=2)[2:-1] + before + b"K\x01s."


HASHED = {
    "a dictionary's key": _as_key(40),
    "a state of None": _as_key(40, b"Nb"),
    "nothing appended": _as_key(40, b"(e"),
    "copied": _as_key(40, b"20"),
    "an old dictionary's key": b"(" + pickle.dumps(_nested(40, 1), protocol=0)[:-1] + b"I1\nd.",
    "a member of a set": b"\x80\x04\x8f(" + pickle.dumps(_nested(40, 1), protocol=2)[2:-1] + b"\x90.",
    "a member of a frozen set": b"\x80\x04(" + pickle.dumps(_nested(40, 1), protocol=2)[2:-1] + b"\x91.",
    "many keys": pickle.dumps({(index, _nested(20, 1)): 1 for index in range(64)}, protocol=4),
    "a key of an ordered dictionary": _reduce("collections", "OrderedDict", ([(_nested(40, 1), 1)],)),
    "a type of numbers": _reduce("numpy", "dtype", (_nested(40, 1),)),
    "an encoding": _reduce("_codecs", "encode", ("text", _nested(40, 1))),
}


@pytest.mark.parametrize("where", HASHED)
def test_what_takes_years_to_hash_is_refused_before_it_is_built(where: str) -> None:
    with pytest.raises(InputError, match=r"hash|malformed|values of type|not a text"):
        load_pickle(HASHED[where], name="x")


def test_a_storage_is_named_by_a_text(tmp_path: Path) -> None:
    save_torch(tmp_path / "x.pt", [1.0])
    pid = b"(U\x07storagectorch\nFloatStorage\n" + pickle.dumps(_nested(40, 1), protocol=2)[2:-1] + b"U\x03cpuK\x01tQ."
    with zipfile.ZipFile(tmp_path / "y.pt", "w") as archive:
        archive.writestr("y/data.pkl", b"\x80\x02" + pid)
    with pytest.raises(InputError, match="a storage that the file does not hold"):
        load_torch(tmp_path / "y.pt")


def test_keys_as_tables_have_them_are_read() -> None:
    table = {(0, 1, 2, 3, 4, cell): 0.001 * cell for cell in range(5000)}
    nested = {((1, 2), (3, (4, 5))): 1, frozenset({1, 2}): 2, (): 3, None: 4, (None, True): 5, (True, None): 6}
    for value in (table, nested, [dict.fromkeys("abc", 1)] * 3000, {(np.float64(n), "x") for n in range(3000)}):
        assert load_pickle(pickle.dumps(value, protocol=4), name="x") == value
    ordered = _reduce("collections", "OrderedDict", ([[(1, 2), 3.0], ["x", 4.0]],))
    assert load_pickle(ordered, name="x") == {(1, 2): 3.0, "x": 4.0}


def test_numbers_of_any_length_are_refused() -> None:
    for number in (2**64, -(2**63) - 1, 1 << 10_000):
        for protocol in (1, 2, 4):
            with pytest.raises(InputError, match="more than 64 bits"):
                load_pickle(pickle.dumps([number], protocol=protocol), name="x")
