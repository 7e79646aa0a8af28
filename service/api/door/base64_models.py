"""Models in base64: in the standard or the URL-safe alphabet, padded or not, in lines, or as a `data:` URL."""

import binascii
import re
from collections.abc import Iterable, Iterator
from typing import IO

from latcast.schema import InputError

__all__ = ["decode_into", "decoded"]

SPACES = b" \t\r\n"
STANDARD = bytes.maketrans(b"-_", b"+/")
"""From the URL-safe alphabet to the standard one."""
ESCAPES = ((b"\\n", b""), (b"\\r", b""), (b"\\t", b""), (b"\\/", b"/"))
"""What JSON may write for a line end and a slash."""
DATA_URL = re.compile(rb"data:[^,]{0,200};base64,")
LONGEST_HEAD = 300


def decoded(text: str) -> bytes:
    """The bytes of a model.

    Raises:
        InputError: it is no base64.
    """
    return b"".join(_decoded([text.encode("utf-8")]))


def decode_into(file: IO[bytes], parts: Iterable[bytes]) -> None:
    """Write the bytes of a model into a file, a piece at a time.

    Args:
        file: where to.
        parts: of the text as JSON writes it, with its escapes.

    Raises:
        InputError: it is no base64.
    """
    for piece in _decoded(parts):
        file.write(piece)


def _decoded(parts: Iterable[bytes]) -> Iterator[bytes]:
    left = b""
    try:
        for part in _without_head(parts):
            left += part
            held = left[-1:] if left.endswith(b"\\") else b""
            clean = _plain(left[: len(left) - len(held)])
            whole = len(clean) // 4 * 4
            yield binascii.a2b_base64(clean[:whole], strict_mode=bool(whole))
            left = clean[whole:] + held
        yield binascii.a2b_base64(left + b"=" * (-len(left) % 4), strict_mode=bool(left))
    except binascii.Error:
        raise InputError("onnx: not valid base64; encode the model's bytes, for example with `base64 model.onnx` or "
                         "`latcast.item(onnx=…)`.") from None  # fmt: skip


def _without_head(parts: Iterable[bytes]) -> Iterator[bytes]:
    """The parts, from what follows the head of a `data:` URL where they begin with one."""
    rest = iter(parts)
    start = b""
    for part in rest:
        start += part
        if len(start) >= LONGEST_HEAD or not (start.startswith(b"data:") or b"data:".startswith(start)):
            break
    head = DATA_URL.match(start.replace(b"\\/", b"/")) if start.startswith(b"data:") else None
    yield start.replace(b"\\/", b"/")[head.end() :] if head else start
    yield from rest


def _plain(text: bytes) -> bytes:
    for escape, meaning in ESCAPES:
        text = text.replace(escape, meaning)
    return text.translate(STANDARD, SPACES)
