"""The walk over protocol buffers agrees with the library's own, and refuses what is no message."""

import io

import pytest
from onnx import TensorProto

from latcast.onnx_files.wire import Bytes, Edit, MalformedError, edited, encoded_field, encoded_number


def test_fields_are_those_that_the_library_wrote() -> None:
    written = TensorProto(name="w", dims=[3, 2**40, -1], data_type=7, raw_data=b"x" * 300).SerializeToString()
    for source in (Bytes(written), Bytes(io.BytesIO(written), len(written))):
        fields = list(source.fields(0, len(written)))
        assert [field.number for field in fields] == [1, 1, 1, 2, 8, 9]
        assert [size for field in fields[:3] for size in source.integers(field)] == [3, 2**40, -1]
        assert source.text(fields[4]) == "w"
        assert source.read(fields[5].start, fields[5].end) == b"x" * 300


def test_packed_and_single_numbers_are_the_same() -> None:
    packed = b"\x0a\x03\x03\xac\x02"
    source = Bytes(packed)
    assert source.integers(next(source.fields(0, len(packed)))) == [3, 300]


def test_what_is_written_is_read_by_the_library() -> None:
    written = encoded_number(1, -5) + encoded_number(2, 1) + encoded_field(8, b"name")
    tensor = TensorProto.FromString(written)
    assert (list(tensor.dims), tensor.data_type, tensor.name) == ([-5], 1, "name")


def test_edits_correct_the_lengths_around_them() -> None:
    inner = encoded_field(1, b"a" * 200) + encoded_field(2, b"keep")
    whole = encoded_field(7, inner) + encoded_field(9, b"gone")
    outer = next(Bytes(whole).fields(0, len(whole)))
    first = next(Bytes(whole).fields(outer.start, outer.end))
    edits = [Edit(first.start, first.end, b"b"), Edit(len(whole) - 4, len(whole), None)]
    assert edited(Bytes(whole), edits) == encoded_field(7, encoded_field(1, b"b") + encoded_field(2, b"keep"))
    assert edited(Bytes(whole), []) == whole


@pytest.mark.parametrize("data", [b"\x0a\x05abc", b"\x0b", b"\x08" + b"\xff" * 11, b"\x02\x00", b"\x80"])
def test_what_is_no_message_is_refused(data: bytes) -> None:
    with pytest.raises(MalformedError):
        list(Bytes(data).fields(0, len(data)))
    with pytest.raises(MalformedError):
        list(Bytes(io.BytesIO(data), len(data)).fields(0, len(data)))
