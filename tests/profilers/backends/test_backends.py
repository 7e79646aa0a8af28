"""Backends by their names."""

import pytest

from latcast.schema import UnknownNameError
from profilers.backends import backend_names, get_backend
from profilers.backends.fake import FakeBackend
from profilers.targets import survey


def test_backends_are_found_by_name() -> None:
    assert {"fake", "onnxruntime"} <= set(backend_names())
    assert isinstance(get_backend("fake"), FakeBackend)


def test_a_backend_for_tests_is_offered_nowhere() -> None:
    assert "fake" not in {kind.backend for kind in survey()}
    with pytest.raises(UnknownNameError, match=r"Unknown backend 'abacus'.*Known: onnxruntime") as caught:
        get_backend("abacus")
    assert "fake" not in str(caught.value)
