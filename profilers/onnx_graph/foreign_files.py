"""What bytes are that are no ONNX model, by how they begin: people give the file beside the one that they mean."""

__all__ = ["not_a_model"]

_ADVICE = (
    (b"version https://git-lfs", "the pointer of Git LFS: run `git lfs pull` in its repository"),
    (b"\x1f\x8b", "a file packed with gzip: unpack it"),
    (b"PK\3\4", "a ZIP archive, as torch.save writes one, too: export the model to ONNX, or unpack the archive"),
    (b"\x89HDF", "an HDF5 file, as Keras writes it: convert the model to ONNX (tf2onnx)"),
    (b"<", "a page of HTML, or XML: look whether the download was one of a login"),
    (b"{", "JSON"),
    (b"\x80", "a pickle of Python: export the model to ONNX"),
)
_TFLITE = b"TFL3"
"""At the fifth byte of a TensorFlow Lite model."""


def not_a_model(content: bytes, otherwise: str) -> str:
    """A sentence that says what these bytes are and what to do, or `otherwise` where that is not known."""
    start = content[:64].lstrip()
    if content[4:8] == _TFLITE:
        return "These bytes are not an ONNX model, but one of TensorFlow Lite: convert it (tf2onnx)."
    what = next((what for magic, what in _ADVICE if start.startswith(magic)), None)
    return otherwise if what is None else f"These bytes are not an ONNX model, but {what}."
