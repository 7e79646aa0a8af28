"""Backends by their names."""

from profilers.backends import backend_names, get_backend
from profilers.backends.fake import FakeBackend


def test_backends_are_found_by_name() -> None:
    assert {"fake", "onnxruntime"} <= set(backend_names())
    assert isinstance(get_backend("fake"), FakeBackend)
