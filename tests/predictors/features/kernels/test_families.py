"""One name for what runtimes call differently."""

import pytest

from predictors.features.kernels.families import operator_family


@pytest.mark.parametrize(
    ("operator", "family"),
    [
        ("NhwcFusedConv", "Conv"), ("GroupConvolution", "Conv"), ("FusedGemm", "MatMul"), ("FullyConnected", "MatMul"),
        ("Flatten", "Reshape"), ("LSTMSequence", "LSTM"), ("Interpolate", "Resize"), ("Softmax", "Softmax"),
        ("SomebodysOwn", "SomebodysOwn"),
    ],
)  # fmt: skip
def test_operators_are_of_a_family(operator: str, family: str) -> None:
    assert operator_family(operator) == family
    assert operator_family(family) == family, "a family's name is its own"
