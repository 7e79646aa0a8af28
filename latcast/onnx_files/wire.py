"""Protocol buffers' wire format, walked in a stream: fields by their place in the file, without reading what they hold.

Source of the format: https://protobuf.dev/programming-guides/encoding.
"""

from bisect import bisect_left
from collections.abc import Iterator, Sequence
from io import BytesIO
from typing import BinaryIO, NamedTuple, Protocol

__all__ = [
    "LENGTH",
    "VARINT",
    "Bytes",
    "Edit",
    "Field",
    "Kept",
    "Later",
    "MalformedError",
    "Parts",
    "edited",
    "edited_parts",
    "encoded_field",
    "encoded_number",
    "field_of",
    "write",
]

VARINT, FIXED64, LENGTH, FIXED32 = 0, 1, 2, 5
"""Wire types: an integer, eight bytes, bytes with their length before them, four bytes."""

_FIXED = {FIXED64: 8, FIXED32: 4}
_LONGEST_VARINT = 10
_WINDOW = 2**16
_CHUNK = 2**20
_DEEPEST = 100
_WORD = 2**64 - 1


class MalformedError(ValueError):
    """The bytes are no message of protocol buffers."""


class Field(NamedTuple):
    """One field of a message.

    Args:
        number: says which.
        wire_type: how it is written.
        value: an integer's value; 0 for others.
        at: where the field begins, its tag included.
        start: where its content begins.
        end: where it ends.
    """

    number: int
    wire_type: int
    value: int
    at: int
    start: int
    end: int


class Later(Protocol):
    """Bytes that are read when they are written, a chunk at a time: weights are never in memory twice."""

    @property
    def size(self) -> int:
        """How many there are."""

    def chunks(self) -> Iterator[bytes]:
        """The bytes."""


Parts = Sequence["bytes | Later"]


class Edit(NamedTuple):
    """An edit: bytes take the place of what a field holds from `start` to `end`; None takes the whole field out."""

    start: int
    end: int
    content: bytes | Parts | None

    @property
    def size(self) -> int:
        """Bytes that it writes."""
        content = self.content
        return 0 if content is None else len(content) if isinstance(content, bytes) else _size(content)


class Bytes:
    """A file or bytes, of which only what is asked for is read.

    Args:
        source: the bytes, or a file that is open for reading; it stays the caller's.
        size: of the file; left out for bytes.
    """

    def __init__(self, source: bytes | BinaryIO, size: int | None = None) -> None:
        self._file = None if isinstance(source, bytes) else source
        self._window, self._base = (source, 0) if isinstance(source, bytes) else (b"", 0)
        self.size = len(self._window) if size is None else size

    def read(self, start: int, end: int) -> bytes:
        """The bytes from `start` to `end`.

        Raises:
            MalformedError: the file ends before.
        """
        first = start - self._base
        if first >= 0 and end - self._base <= len(self._window):
            return self._window[first : end - self._base]
        data = self._load(start, end - start)
        if len(data) != end - start:
            raise MalformedError("the file ends too early")
        return data

    def fields(self, start: int, end: int) -> Iterator[Field]:
        """The fields of the message from `start` to `end`.

        Raises:
            MalformedError: it is no message.
        """
        at = start
        while at < end:
            tag, content = self._varint(at, end)
            number, wire_type, value, until = tag >> 3, tag & 7, 0, content
            if wire_type == VARINT:
                value, until = self._varint(content, end)
            elif wire_type == LENGTH:
                size, content = self._varint(content, end)
                until = content + size
            elif wire_type in _FIXED:
                until = content + _FIXED[wire_type]
            else:
                raise MalformedError(f"a field of the wire type {wire_type}")
            if until > end or not number:
                raise MalformedError("a field that reaches beyond its message")
            yield Field(number, wire_type, value, at, content, until)
            at = until

    def integers(self, field: Field) -> list[int]:
        """The signed 64-bit integers of a repeated field, packed or one by one."""
        if field.wire_type == VARINT:
            return [_signed(field.value)]
        at, found = field.start, []
        while at < field.end:
            value, at = self._varint(at, field.end)
            found.append(_signed(value))
        return found

    def text(self, field: Field) -> str:
        """A string; what is no UTF-8 survives a way back through `surrogateescape`."""
        return self.read(field.start, field.end).decode("utf-8", "surrogateescape")

    def _varint(self, at: int, end: int) -> tuple[int, int]:
        """A number and where it ends."""
        offset = at - self._base
        if not 0 <= offset <= len(self._window) - _LONGEST_VARINT and self._file is not None:
            self._window, self._base, offset = self._load(at, _WINDOW), at, 0
        value = shift = 0
        for byte in self._window[offset : offset + min(_LONGEST_VARINT, end - at)]:
            value |= (byte & 127) << shift
            shift += 7
            if byte < 128:
                return value & _WORD, at + shift // 7
        raise MalformedError("a number that does not end")

    def _load(self, start: int, size: int) -> bytes:
        if self._file is None:
            return self._window[start : start + size]
        self._file.seek(start)
        return self._file.read(size)


def _signed(value: int) -> int:
    return value - (1 << 64) if value >> 63 else value


def encoded_number(number: int, value: int) -> bytes:
    """A field that holds an integer."""
    return _varint(number << 3 | VARINT) + _varint(value & _WORD)


def encoded_field(number: int, content: bytes) -> bytes:
    """A field that holds bytes, a string or a message."""
    return b"".join((_varint(number << 3 | LENGTH), _varint(len(content)), content))


def field_of(number: int, content: Parts) -> list[bytes | Later]:
    """A field as `encoded_field` writes it, in parts."""
    return [_varint(number << 3 | LENGTH) + _varint(_size(content)), *content]


def _size(parts: Parts) -> int:
    return sum(len(part) if isinstance(part, bytes) else part.size for part in parts)


def _varint(value: int) -> bytes:
    encoded = bytearray()
    while value > 127:
        encoded.append(value & 127 | 128)
        value >>= 7
    encoded.append(value)
    return bytes(encoded)


def edited(source: Bytes, edits: Sequence[Edit]) -> bytes:
    """The message with the edits made; lengths of what lies around them are written anew.

    Args:
        source: a whole message.
        edits: in the order of their places, none within another.

    Raises:
        MalformedError: it is no message.
    """
    whole = BytesIO()  # grows in place, and gives its buffer away
    write(edited_parts(source, edits), whole)
    return whole.getvalue()


def edited_parts(source: Bytes, edits: Sequence[Edit]) -> Parts:
    """What `edited` gives, in parts that are read when they are written."""
    return _Editor(source, edits).message(0, source.size)


def write(parts: Parts, out: BinaryIO) -> None:
    """Write parts into a file, a chunk at a time."""
    for part in parts:
        out.writelines([part] if isinstance(part, bytes) else part.chunks())


class Kept(NamedTuple):
    """A part of the source that stays as it is."""

    source: Bytes
    start: int
    end: int

    @property
    def size(self) -> int:
        """How many bytes it has."""
        return self.end - self.start

    def chunks(self) -> Iterator[bytes]:
        """The bytes."""
        for at in range(self.start, self.end, _CHUNK):
            yield self.source.read(at, min(at + _CHUNK, self.end))


class _Editor:
    def __init__(self, source: Bytes, edits: Sequence[Edit]) -> None:
        self._source, self._edits = source, edits
        self._starts = [edit.start for edit in edits]

    def message(self, start: int, end: int, depth: int = 0) -> list[bytes | Later]:
        if depth > _DEEPEST:
            raise MalformedError("messages that are nested too deeply")
        parts: list[bytes | Later] = []
        kept = start
        for field in self._source.fields(start, end):
            at = bisect_left(self._starts, field.start)
            if field.wire_type != LENGTH or at == len(self._edits) or self._edits[at].start >= field.end:
                continue
            parts.append(Kept(self._source, kept, field.at))
            parts += self._changed(field, self._edits[at], depth)
            kept = field.end
        parts.append(Kept(self._source, kept, end))
        return parts

    def _changed(self, field: Field, edit: Edit, depth: int) -> list[bytes | Later]:
        if (edit.start, edit.end) != (field.start, field.end):
            return field_of(field.number, self.message(field.start, field.end, depth + 1))
        content = edit.content
        if content is None:
            return []
        return field_of(field.number, [content] if isinstance(content, bytes) else content)
