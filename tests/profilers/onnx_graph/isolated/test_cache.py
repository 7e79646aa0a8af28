"""What is kept between models changes nothing but the time."""

from profilers.onnx_graph.isolated.cache import KnownModels


def test_known_models_are_told_apart_by_bytes_and_shapes():
    known: KnownModels[int] = KnownModels(size=2)
    big = bytes(2**18)
    assert known.get(b"a") is None
    assert known.keep(b"a", None, 1) == 1
    known.keep(big, {"x": (1, 2)}, 2)
    assert known.get(bytes(2**18), {"x": [1, 2]}) == 2
    assert known.get(big) is None
    assert known.get(b"a", {}) == 1
    known.keep(b"c", None, 3)
    assert known.get(big, {"x": (1, 2)}) is None  # asked for the longest ago
