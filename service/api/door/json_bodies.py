"""JSON within limits: counted before it is parsed, with large models taken out of it into files.

A megabyte of JSON becomes a hundred of Python's objects, so what counts is how many values it has and how deep they
lie. Everything here works on bytes and may run in any thread.
"""

import json
import re
import secrets
import tempfile
from collections.abc import Iterator
from contextlib import ExitStack
from dataclasses import dataclass
from typing import IO, Any

from starlette.exceptions import HTTPException

from latcast.errors import BodyTooLargeError
from latcast.schema import InputError
from latcast.schema.counting import counted
from profilers.onnx_graph.isolated.model_file import ModelFile
from service.api.door.base64_models import decode_into
from service.api.door.bodies import Body, room_on_disk

__all__ = ["MOST_MEMBERS", "JsonLimits", "count_values", "parse_json", "require_few_members", "require_shallow"]

PIECE_BYTES = 2**20
SHORT_BYTES = 2**14
"""Strings up to here stay where they are."""
MOST_MEMBERS = 10_000
"""Members of one object; those of a model's inputs, by name, are the most that anybody has."""
BRACKETS = b'[]{}"'
ALL_BUT_BRACKETS = bytes(set(range(256)) - set(BRACKETS))
ENDS_IN_KEY = re.compile(rb'"onnx"\s*:\s*"\Z')


@dataclass(frozen=True, slots=True, kw_only=True)
class JsonLimits:
    """What the JSON of a route may be.

    Args:
        bytes: of the body.
        text_bytes: of the body without models that are taken out of it; None where it holds none.
        values: numbers, strings, lists and objects, about.
        depth: lists and objects within each other.
    """

    bytes: int
    text_bytes: int | None
    values: int
    depth: int


def parse_json(body: Body, limits: JsonLimits, files: ExitStack) -> Any:
    """What the JSON of a body says.

    Args:
        body: gets the models that are taken out.
        limits: of its route.
        files: closes the file of these models.

    Raises:
        BodyTooLargeError: too many values, or too long without its models.
        HTTPException: too deep (400).
        InputError: a model is no base64.
        UnavailableError: the disk has no room for the models.
        ValueError: no JSON.
    """
    count_values(_pieces(body.file), limits.values)
    text = body.read() if body.size <= (limits.text_bytes or limits.bytes) else _without_models(body, limits, files)
    require_shallow(text, limits.depth)
    return json.loads(text)


def count_values(pieces: Iterator[bytes], limit: int) -> int:
    """About how many values some JSON has: its commas and opening brackets, those within strings too.

    Raises:
        BodyTooLargeError: more than the limit.
    """
    count = 0
    for piece in pieces:
        count += sum(piece.count(mark) for mark in (b",", b"[", b"{"))
        if count > limit:
            raise BodyTooLargeError(f"The JSON holds more than {counted(limit, 'value')}; send several calls.")
    return count


def require_shallow(text: bytes, depth: int) -> None:
    """Fail where brackets lie too deep within each other.

    Raises:
        HTTPException: they do (400).
    """
    if text.count(b"[") + text.count(b"{") <= depth:
        return
    bare = text.replace(b"\\\\", b"").replace(b'\\"', b"").translate(None, ALL_BUT_BRACKETS)
    brackets = b"".join(bare.split(b'"')[::2])  # what is not within quotes
    for _ in range(depth):
        brackets, before = brackets.replace(b"[]", b"").replace(b"{}", b""), len(brackets)
        if len(brackets) == before:
            break
    is_deeper = b"[]" in brackets or b"{}" in brackets
    if is_deeper or brackets.count(b"[") + brackets.count(b"{") > depth:
        raise HTTPException(
            400, f"The JSON is nested deeper than {counted(depth, 'list or object', 'lists and objects')}."
        )


def require_few_members(value: Any) -> None:
    """Fail where an object has more members than any has a use for: each that is not known would be an error.

    Raises:
        InputError: one has.
    """
    left = [value]
    while left:
        item = left.pop()
        if isinstance(item, dict):
            if len(item) > MOST_MEMBERS:
                raise InputError(
                    f"An object of the JSON has {counted(len(item), 'member')}; none has more than {MOST_MEMBERS:,}."
                )
            item = item.values()
        left.extend(part for part in item if isinstance(part, dict | list))


def _pieces(file: IO[bytes]) -> Iterator[bytes]:
    file.seek(0)
    while piece := file.read(PIECE_BYTES):
        yield piece


def _without_models(body: Body, limits: JsonLimits, files: ExitStack) -> bytes:
    """The text with a mark in place of each long string below the key `onnx`; they are decoded into one file."""
    assert limits.text_bytes is not None  # noqa: S101 - else the body is short enough
    scan = _Scan(_pieces(body.file), limits.text_bytes)
    file = files.enter_context(tempfile.TemporaryFile())  # noqa: SIM115 - the stack closes it
    while scan.copy_through_quote():
        if scan.copy_short_string():
            continue
        if not ENDS_IN_KEY.search(scan.text[-64:]):
            scan.copy_string()
            continue
        mark = f"model-{secrets.token_hex(16)}"
        body.models[mark] = _model(scan.string(), file)
        scan.write(mark.encode() + b'"')
    return bytes(scan.text)


def _model(parts: Iterator[bytes], file: IO[bytes]) -> ModelFile:
    """A model at the end of a file."""
    start = file.tell()
    with room_on_disk():
        decode_into(file, parts)
        file.flush()
    return ModelFile(file, start=start, size=file.tell() - start)


class _Scan:
    """Goes through JSON a piece at a time and keeps what is copied; `text` is that.

    Args:
        pieces: the JSON.
        limit: most bytes that are copied.
    """

    def __init__(self, pieces: Iterator[bytes], limit: int) -> None:
        self._pieces, self._limit = pieces, limit
        self._ahead = b""
        self._place = 0
        self.text = bytearray()

    def write(self, part: bytes) -> None:
        """Add to the copy.

        Raises:
            BodyTooLargeError: it is too long.
        """
        if len(self.text) + len(part) > self._limit:
            raise BodyTooLargeError(
                f"The JSON without its models is longer than the limit of {counted(self._limit, 'byte')}; send "
                "several calls."
            )
        self.text += part

    def copy_through_quote(self) -> bool:
        """Copy up to the beginning of a string; False at the end."""
        while (at := self._ahead.find(b'"', self._place)) < 0:
            self.write(self._ahead[self._place :])
            if not self._more():
                return False
        self._copy_to(at + 1)
        return True

    def copy_short_string(self) -> bool:
        """Copy the string that begins here, with its quote, where it is short and without escapes."""
        while len(self._ahead) - self._place <= SHORT_BYTES and self._more(keep=True):
            pass
        at = self._ahead.find(b'"', self._place, self._place + SHORT_BYTES)
        if at < 0 or self._ahead.find(b"\\", self._place, at) >= 0:
            return False
        self._copy_to(at + 1)
        return True

    def copy_string(self) -> None:
        """Copy the string that begins here, with its quote."""
        for part in self.string():
            self.write(part)
        self.write(b'"')

    def string(self) -> Iterator[bytes]:
        """The string that begins here, as it is written, a piece at a time; then its quote is behind."""
        escaped = False
        while True:
            end = self._end_of_string(escaped)
            if end is not None:
                yield self._ahead[self._place : end]
                self._place = end + 1
                return
            part = self._ahead[self._place :]
            escaped = _is_cut_off(part, escaped)
            yield part
            if not self._more():
                raise ValueError("a string without an end")

    def _end_of_string(self, escaped: bool) -> int | None:
        """Where the next quote is that no backslash takes its meaning from."""
        start = self._place + escaped
        while (at := self._ahead.find(b'"', start)) >= 0:
            if not _is_cut_off(self._ahead[start:at], False):
                return at
            start = at + 1
        return None

    def _copy_to(self, end: int) -> None:
        self.write(self._ahead[self._place : end])
        self._place = end

    def _more(self, *, keep: bool = False) -> bool:
        piece = next(self._pieces, b"")
        self._ahead = self._ahead[self._place :] + piece if keep else piece
        self._place = 0
        return bool(piece)


def _is_cut_off(part: bytes, escaped: bool) -> bool:
    """Whether what follows the part belongs to its last backslash; `escaped` says so of the part's beginning."""
    body = part[escaped:]
    return (len(body) - len(body.rstrip(b"\\"))) % 2 == 1
