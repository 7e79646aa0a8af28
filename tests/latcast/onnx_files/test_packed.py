"""Whoever gives a packed file is told a command; that command, run as it is said, makes the file that is named."""

import bz2
import gzip
import io
import lzma
import re
import shlex
import shutil
import subprocess
import tarfile
import zipfile
from pathlib import Path

import pytest

from latcast.onnx_files import read_model
from latcast.onnx_files.packed import LOOKED_AT_BYTES, packed_file
from latcast.schema import InvalidModelError

MODEL = b"\x08\x08\x3a\x00" + bytes(range(256)) * 8
"""Bytes in a model's place."""
ODD = "it's a [net] (2)"
"""A name that a shell would take apart."""


def zipped(*names: str) -> bytes:
    whole = io.BytesIO()
    with zipfile.ZipFile(whole, "w") as archive:
        for name in names:
            archive.writestr(name, MODEL)
    return whole.getvalue()


def tarred(mode: str) -> bytes:
    whole = io.BytesIO()
    with tarfile.open(fileobj=whole, mode=f"w:{mode}", format=tarfile.USTAR_FORMAT) as archive:
        info = tarfile.TarInfo("net/m.onnx")
        info.size = len(MODEL)
        archive.addfile(info, io.BytesIO(MODEL))
    return whole.getvalue()


def command_of(error: pytest.ExceptionInfo[InvalidModelError]) -> str:
    found = re.search(r"run `(.*)`, and give", str(error.value))
    assert found is not None, error.value
    return found[1]


@pytest.mark.parametrize(
    ("name", "content", "result"),
    [
        ("m.onnx.gz", gzip.compress(MODEL), "m.onnx"),
        (f"{ODD}.onnx.gz", gzip.compress(MODEL), f"{ODD}.onnx"),
        ("-m.onnx.gz", gzip.compress(MODEL), "-m.onnx"),
        ("m.onnx", gzip.compress(MODEL), "m-unpacked.onnx"),
        ("m", gzip.compress(MODEL), "m-unpacked"),
        ("m.onnx.bz2", bz2.compress(MODEL), "m.onnx"),
        ("m.onnx.xz", lzma.compress(MODEL), "m.onnx"),
        ("m.zip", zipped("m.onnx"), "m/m.onnx"),
        (f"{ODD}.zip", zipped("deep/m.onnx", "deep/m.onnx.data", "readme.txt"), f"{ODD}/deep/m.onnx"),
        ("m.onnx", zipped("m.onnx"), "m/m.onnx"),
        ("archive", zipped("m.onnx"), "archive-unpacked/m.onnx"),
    ],
)
def test_the_command_makes_the_file_that_is_named(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, name: str, content: bytes, result: str
) -> None:
    monkeypatch.chdir(tmp_path)
    Path(name).write_bytes(content)
    with pytest.raises(InvalidModelError) as error:
        read_model(name)
    assert str(error.value).startswith(f"{name!r} is ")
    assert str(error.value).endswith(f", and give {result!r}.")
    command = command_of(error)
    if shutil.which(shlex.split(command)[0]) is None:
        pytest.skip(f"{shlex.split(command)[0]} is not installed")
    subprocess.run(["sh", "-c", command], check=True)
    assert Path(result).read_bytes() == MODEL
    assert Path(name).read_bytes() == content, "what was given stays"


@pytest.mark.parametrize(
    ("name", "mode"), [("m.tar", ""), ("m.tar.gz", "gz"), ("m.tgz", "gz"), ("download", "gz"), ("m.tar.xz", "xz")]
)
def test_archives_of_tar_are_unpacked_beside_themselves(tmp_path: Path, name: str, mode: str) -> None:
    path = tmp_path / name
    path.write_bytes(tarred(mode))
    with pytest.raises(InvalidModelError, match="is an archive of tar") as error:
        read_model(path)
    subprocess.run(["sh", "-c", command_of(error)], check=True)
    assert (tmp_path / "net" / "m.onnx").read_bytes() == MODEL


@pytest.mark.parametrize(
    ("start", "command"), [(b"\x28\xb5\x2f\xfd\x24", "unzstd -k m.zst"), (b"7z\xbc\xaf\x27\x1c", "7z x -om m.zst")]
)
def test_programs_that_few_have_are_named(start: bytes, command: str) -> None:
    packed = packed_file(Path("m.zst"), start)
    assert packed is not None
    assert f"run `{command}`, and give" in packed.advice


def test_of_many_models_some_are_named(tmp_path: Path) -> None:
    path = tmp_path / "zoo.zip"
    path.write_bytes(zipped(*(f"net{number}.onnx" for number in range(9))))
    with pytest.raises(InvalidModelError, match=r"net0\.onnx' or .*net4\.onnx' or another one of 9\.$"):
        read_model(path)


def test_what_is_not_packed_or_holds_no_model_is_left_to_others(tmp_path: Path) -> None:
    for content in (MODEL, b"", zipped("archive/data.pkl"), b"PK\x03\x04 broken", b"\x1f\x8b"):
        path = tmp_path / "m.onnx"
        path.write_bytes(content)
        assert packed_file(path, content[:LOOKED_AT_BYTES]) is None
        assert read_model(path) == content


def test_other_files_in_archives_are_looked_for_by_their_endings(tmp_path: Path) -> None:
    path = tmp_path / "lists.zip"
    path.write_bytes(zipped("nets.jsonl", "m.onnx"))
    packed = packed_file(path, path.read_bytes(), suffixes=(".jsonl", ".csv"))
    assert packed is not None
    assert list(packed.results) == [str(tmp_path / "lists" / "nets.jsonl")]
