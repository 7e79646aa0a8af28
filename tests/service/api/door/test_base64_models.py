"""Base64 as people send it: both alphabets, without padding, in lines, as a `data:` URL, whole and in pieces."""

import base64
import io

import pytest

from latcast.schema import InputError
from service.api.door.base64_models import decode_into, decoded

MODEL = bytes(range(256)) * 5 + b"?>"
PLAIN = base64.b64encode(MODEL).decode()
WRITTEN = {
    "plain": PLAIN,
    "lines": base64.encodebytes(MODEL).decode(),
    "url-safe": base64.urlsafe_b64encode(MODEL).decode(),
    "no padding": PLAIN.rstrip("="),
    "data URL": f"data:application/octet-stream;base64,{PLAIN}",
}


@pytest.mark.parametrize("text", WRITTEN.values(), ids=WRITTEN.keys())
def test_a_text_is_decoded_however_it_was_encoded(text: str) -> None:
    assert decoded(text) == MODEL


@pytest.mark.parametrize("text", WRITTEN.values(), ids=WRITTEN.keys())
@pytest.mark.parametrize("size", [1, 7, 1000])
def test_a_text_in_pieces_is_decoded_behind_its_escapes(text: str, size: int) -> None:
    escaped = text.replace("/", "\\/").replace("\n", "\\n").encode()
    file = io.BytesIO()
    decode_into(file, (escaped[start : start + size] for start in range(0, len(escaped), size)))
    assert file.getvalue() == MODEL


@pytest.mark.parametrize("text", ["no base64!", "data:text/plain,abcd", "AAA=AAA=A", "é"])
def test_what_is_none_is_refused_with_a_sentence(text: str) -> None:
    with pytest.raises(InputError, match="not valid base64; encode the model's bytes"):
        decoded(text)
