"""Every cap names itself and what exceeds it."""

import pytest

from latcast.schema import (
    ModelLimitError,
)
from profilers.onnx_graph import (
    Limits,
    load_graph,
)


def test_limits_name_themselves():
    with pytest.raises(ModelLimitError, match="model_bytes") as caught:
        load_graph(bytes(100), limits=Limits(model_bytes=10))
    assert caught.value.limit == "model_bytes"
    assert caught.value.allowed == 10


def test_what_has_thousands_of_digits_is_said_in_short():
    with pytest.raises(ModelLimitError, match=r"it has about 10\^6021 \(bytes in 'y'\)"):
        Limits().check("tensor_bytes", 2**20_000, "bytes in 'y'")
    with pytest.raises(ModelLimitError, match="it has 1,267,650,600,228,229,401,496,703,205,376"):
        Limits().check("tensor_bytes", 2**100)
