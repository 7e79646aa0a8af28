"""Names of tensors that quantisation added."""

from profilers.quantisation import original_tensors


def test_names_lead_back() -> None:
    assert original_tensors(["c1@latcast:3", "c1", "r1", "r1@latcast:4"]) == ("c1", "r1")
