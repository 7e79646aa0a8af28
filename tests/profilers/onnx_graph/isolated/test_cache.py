"""What is kept between models changes nothing but the time, and takes no more memory than it may."""

from profilers.onnx_graph.isolated.cache import ENTRY_BYTES, KnownModels, model_key


def test_what_was_asked_for_the_longest_ago_is_forgotten():
    known: KnownModels[int] = KnownModels(2 * ENTRY_BYTES)
    assert known.get(b"a") is None
    assert known.keep(b"a", 1, 0) == 1
    known.keep(b"b", 2, 0)
    assert known.get(b"a") == 1
    known.keep(b"c", 3, 0)
    assert [known.get(key) for key in (b"a", b"b", b"c")] == [1, None, 3]


def test_large_values_drive_out_many_small_ones():
    known: KnownModels[str] = KnownModels(10 * ENTRY_BYTES)
    for number in range(8):
        known.keep(bytes([number]), "small", 0)
    known.keep(b"large", "large", 8 * ENTRY_BYTES)
    assert [known.get(bytes([number])) for number in range(8)] == [None] * 7 + ["small"]
    assert known.get(b"large") == "large"
    known.keep(b"larger than all", "huge", 10 * ENTRY_BYTES)
    assert known.get(b"larger than all") is None


def test_keys_are_short_and_depend_on_bytes_shapes_and_symbols():
    keys = [model_key(b"ab"), model_key(b"ab", {"x": (1,)}), model_key(b"ab", {"x": (1, 1)}), model_key(b"a")]
    keys += [model_key(b"ab", None, {"x": 1}), model_key(b"ab", {"x": (1,)}, {"x": 1}), model_key(bytes(2**18))]
    assert len(set(keys)) == 7
    assert {len(key) for key in keys} == {64}
    assert model_key(b"ab", {"x": (1,), "y": (2,)}) == model_key(b"ab", {"y": [2], "x": [1]})
