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
