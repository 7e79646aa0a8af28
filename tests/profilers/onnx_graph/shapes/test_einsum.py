"""Multiply-accumulates of an Einsum follow from its equation."""

import pytest

from profilers.onnx_graph.shapes.einsum import einsum_macs


@pytest.mark.parametrize(
    ("equation", "shapes", "macs"),
    [
        ("ij,jk", [(2, 3), (3, 4)], 24),
        ("...ij,...jk->...ik", [(5, 2, 3), (3, 4)], 120),
        ("a,b,c->abc", [(2,), (3,), (4,)], 48),
        ("ij->ji", [(2, 3)], 0),
        ("ij,jk", [(2, 3)], 0),
    ],
)
def test_einsum(equation, shapes, macs):
    assert einsum_macs(equation, shapes) == macs
