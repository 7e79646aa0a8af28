"""Files of other kinds are named, wherever they stop being read as a model."""

import bz2
import io
import lzma
import pickle
import zipfile

import pytest

from latcast.schema import InvalidModelError
from profilers.onnx_graph import load_graph
from profilers.onnx_graph.foreign_files import not_a_model


def archive() -> bytes:
    whole = io.BytesIO()
    with zipfile.ZipFile(whole, "w") as file:
        file.writestr("archive/data.pkl", b"x")
    return whole.getvalue()


@pytest.mark.parametrize(
    ("content", "words"),
    [
        (b"version https://git-lfs.github.com/spec/v1\noid sha256:00ff\nsize 12\n", "but the pointer of Git LFS: run"),
        (archive(), "but a ZIP archive, as torch.save writes"),
        (pickle.dumps({"state": [1.0]}), "but a pickle of Python"),
        (b"\x1f\x8b\x08\x00\x00\x00\x00\x00", "but a file packed with gzip"),
        (b"\x89HDF\r\n\x1a\n" + bytes(32), r"but an HDF5 file, .*tf2onnx"),
        (b"\x1c\x00\x00\x00TFL3" + bytes(32), "but one of TensorFlow Lite"),
        (b"\n <!DOCTYPE html><html></html>", "but a page of HTML"),
        (b'{"models": []}', "but JSON"),
        (b'{\n  "irVersion": "8",', "but a model in JSON: onnx.load"),
        (b'<ir_version: 8, opset_import: ["": 17]> net', "but a model as onnx.parser writes it"),
        (b"ir_version: 8\ngraph {}", "but a model in protobuf's text"),
        (b'<?xml version="1.0"?>\n<net name="m">', "but XML, as OpenVINO"),
        (b"import torch\n", "but a file of Python: name the torch module in it"),
        (b"\x18\0\0\0ORTM" + bytes(32), "but a model in ONNX Runtime's own format"),
        (b"\x40\0\0\0\0\0\0\0" + b'{"w":{"dtype":"F32"}}', r"but weights alone .safetensors."),
        (b"GGUF\3\0\0\0", "but weights in GGUF"),
        (b"ftrt" + bytes(60), "but an engine of TensorRT"),
        (b"\x93NUMPY\1\0" + bytes(60), "but an array of NumPy"),
        (b"net.onnx".ljust(257, b"\0") + b"ustar\x0000", "but an archive of tar"),
        (bz2.compress(b"model"), "but a file packed with bzip2"),
        (lzma.compress(b"model"), "but a file packed with xz"),
        (b"\x28\xb5\x2f\xfd\x24", "but a file packed with zstd"),
        (b"7z\xbc\xaf\x27\x1c", "but an archive of 7-Zip"),
    ],
)
def test_what_a_file_is_and_what_to_do(content: bytes, words: str) -> None:
    with pytest.raises(InvalidModelError, match=words):
        load_graph(content)


def test_what_is_not_known_is_left_to_others() -> None:
    assert not_a_model(b"\x08\x09", "Broken.") == not_a_model(b"", "Broken.") == "Broken."
