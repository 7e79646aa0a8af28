"""Placeholders have a type, a shape and a role, and no values."""

import pytest

from latcast.schema import (
    InputError,
)
from profilers.onnx_graph import (
    placeholder,
)


def test_bad_placeholders_are_refused():
    with pytest.raises(InputError, match="role 'odd'"):
        placeholder("w", (1,), role="odd")  # type: ignore[arg-type]
    with pytest.raises(InputError, match="data type 'float31'"):
        placeholder("w", (1,), dtype="float31")
    with pytest.raises(InputError, match="negative"):
        placeholder("w", (-1,))
