"""What bytes are that are no ONNX model, by how they begin: people give the file beside the one that they mean."""

__all__ = ["not_a_model"]

_LOOKED_AT = 300
"""Bytes of the beginning that tell."""
_MAGIC = (
    (0, b"version https://git-lfs", "the pointer of Git LFS: run `git lfs pull` in its repository"),
    (0, b"\x1f\x8b", "a file packed with gzip: unpack it"),
    (0, b"BZh", "a file packed with bzip2: unpack it"),
    (0, b"\xfd7zXZ", "a file packed with xz: unpack it"),
    (0, b"\x28\xb5\x2f\xfd", "a file packed with zstd: unpack it"),
    (0, b"7z\xbc\xaf", "an archive of 7-Zip: unpack it"),
    (257, b"ustar", "an archive of tar: unpack it"),
    (0, b"PK\3\4", "a ZIP archive, as torch.save writes one, too: export the model to ONNX, or unpack the archive"),
    (0, b"\x89HDF", "an HDF5 file, as Keras writes it: convert the model to ONNX (tf2onnx)"),
    (0, b"\x80", "a pickle of Python: export the model to ONNX"),
    (0, b"\x93NUMPY", "an array of NumPy: inputs go with --feeds FILE.npz"),
    (0, b"GGUF", "weights in GGUF: export the model to ONNX"),
    (0, b"ftrt", "an engine of TensorRT: give the ONNX model that it was built of"),
    (4, b"ORTM", "a model in ONNX Runtime's own format: give the .onnx file that it was converted from"),
    (4, b"TFL3", "one of TensorFlow Lite: convert it (tf2onnx)"),
    (8, b'{"', "weights alone (safetensors): export the model to ONNX"),
)
_TEXTS = (
    (b"<ir_version", "a model as onnx.parser writes it: parse it there, and onnx.save it"),
    (b"<?xml", "XML, as OpenVINO's models are: give the ONNX model that it was converted from"),
    (b"<", "a page of HTML, or XML: look whether the download was one of a login"),
    (b"ir_version", "a model in protobuf's text: onnx.load(file, format='textproto') and onnx.save it"),
    (b'{"irVersion"', "a model in JSON: onnx.load(file, format='json') and onnx.save it"),
    (b"{", "JSON"),
    (b"import ", "a file of Python: name the torch module in it, as in net.py:Net"),
    (b"from ", "a file of Python: name the torch module in it, as in net.py:Net"),
)


def not_a_model(content: bytes, otherwise: str) -> str:
    """A sentence that says what these bytes are and what to do, or `otherwise` where that is not known."""
    start = content[:_LOOKED_AT]
    what = next((what for place, magic, what in _MAGIC if start.startswith(magic, place)), None)
    if what is None:
        texts = start.lstrip(), b"".join(start.split())  # JSON has blanks anywhere
        what = next((what for first, what in _TEXTS if any(text.startswith(first) for text in texts)), None)
    return otherwise if what is None else f"These bytes are not an ONNX model, but {what}."
