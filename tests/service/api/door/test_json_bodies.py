"""JSON within limits, and the models that are taken out of it."""

import base64
import io
import json
import os
from collections.abc import Callable, Iterator
from contextlib import ExitStack
from dataclasses import replace
from pathlib import Path

import pytest
from starlette.exceptions import HTTPException

from latcast.errors import BodyTooLargeError, UnavailableError
from latcast.schema import InputError
from service.api.door import json_bodies
from service.api.door.bodies import Body
from service.api.door.json_bodies import (
    MOST_MEMBERS,
    JsonLimits,
    count_values,
    parse_json,
    require_few_members,
    require_shallow,
)

LIMITS = JsonLimits(bytes=2**30, text_bytes=2**15, values=1000, depth=16)


@pytest.fixture
def files() -> Iterator[ExitStack]:
    with ExitStack() as stack:
        yield stack


@pytest.fixture(params=[7, 4096, 2**20])
def piece_bytes(request: pytest.FixtureRequest, monkeypatch: pytest.MonkeyPatch) -> int:
    """However the body is cut, the same comes out."""
    monkeypatch.setattr(json_bodies, "PIECE_BYTES", request.param)
    return int(request.param)


def body_of(text: str | bytes) -> Body:
    content = text if isinstance(text, bytes) else text.encode()
    return Body(io.BytesIO(content), len(content))


def test_values_are_counted_as_they_come() -> None:
    assert count_values(iter([b'{"a":[1,', b'2,{"b":3}]}']), 10) == 5
    assert count_values(iter([b"1"]), 10) == 0
    seen = []

    def pieces() -> Iterator[bytes]:
        for place in range(100):
            seen.append(place)
            yield b",,,,"

    with pytest.raises(BodyTooLargeError, match="more than 10 values"):
        count_values(pieces(), 10)
    assert len(seen) == 3  # and no further


@pytest.mark.parametrize("depth", [1, 2, 63, 64, 65, 66, 128, 1000, 100_000])
@pytest.mark.parametrize("form", ["[{}]", '{"a":{}}', '[1,{},"x"]', '{"]": {}}', r'{"\\": {}}', r'{"\"[": {}}'])
def test_depth_is_that_of_brackets_outside_of_strings(depth: int, form: str) -> None:
    before, after = form.split("{}")
    text = (before * depth + "1" + after * depth).encode()
    if depth <= 500:
        json.loads(text)
    if depth <= 64:
        require_shallow(text, 64)
    else:
        with pytest.raises(HTTPException, match="nested deeper than 64"):
            require_shallow(text, 64)


def test_wide_or_quoted_brackets_are_not_deep() -> None:
    require_shallow(json.dumps([[]] * 100_000).encode(), 8)
    require_shallow(json.dumps(["[" * 1000, '"' * 50 + "{" * 1000, "\\" * 7]).encode(), 8)
    require_shallow(json.dumps({"a": [{"b": [{"c": []}]}] * 1000}).encode(), 8)


def test_open_ends_are_deep() -> None:
    for text in (b"[" * 1000, b'{"a":' * 1000):
        with pytest.raises(HTTPException):
            require_shallow(text, 64)


@pytest.mark.usefixtures("piece_bytes")
@pytest.mark.parametrize("size", [30_000, 30_001, 30_002, 100_000])
def test_long_models_are_taken_out_and_the_rest_stays(files: ExitStack, size: int) -> None:
    first, second = os.urandom(size), os.urandom(size + 1000)
    short = base64.b64encode(b"short").decode()
    plain = {
        "target": 'a "quoted" \\ name', "items": [
            {"onnx": base64.b64encode(first).decode()},
            {"onnx": short, "shapes": {"x": [1, 2]}},
            {"onnx": base64.encodebytes(second).decode(), "text": "ä\n"},
        ],
    }  # fmt: skip
    body = body_of(json.dumps(plain, indent=1))
    parsed = parse_json(body, LIMITS, files)
    marks = [parsed["items"][place]["onnx"] for place in (0, 2)]
    assert [b"".join(body.models[mark]) for mark in marks] == [first, second]
    for mark, place in zip(marks, (0, 2), strict=True):
        plain["items"][place]["onnx"] = mark  # type: ignore[index]
    assert parsed == plain


def test_a_thousand_models_take_one_file(files: ExitStack, monkeypatch: pytest.MonkeyPatch) -> None:
    contents = [bytes([place % 256]) * 15_000 for place in range(1000)]
    opened = []
    monkeypatch.setattr(json_bodies.tempfile, "TemporaryFile", lambda: opened.append(io.BytesIO()) or opened[-1])
    body = body_of(json.dumps([{"onnx": base64.b64encode(content).decode()} for content in contents]))
    limits = replace(LIMITS, text_bytes=2**17, values=10_000)
    marks = [item["onnx"] for item in parse_json(body, limits, files)]
    assert [b"".join(body.models[mark]) for mark in marks] == contents
    assert len(opened) == 1


@pytest.mark.skipif(not Path("/dev/full").exists(), reason="needs a device that is full")
def test_a_full_disk_is_a_sentence(files: ExitStack, monkeypatch: pytest.MonkeyPatch) -> None:
    full = files.enter_context(open("/dev/full", "w+b", buffering=0))  # noqa: SIM115 - a fixture's stack
    monkeypatch.setattr(json_bodies.tempfile, "TemporaryFile", lambda: full)
    with pytest.raises(UnavailableError, match="no room for the body"):
        parse_json(body_of(json.dumps({"onnx": "A" * 100_000})), LIMITS, files)


def test_slashes_may_be_escaped(files: ExitStack) -> None:
    content = b"\xff" * 30_000
    text = json.dumps({"onnx": base64.b64encode(content).decode()}).replace("/", "\\/")
    body = body_of(text)
    parse_json(body, LIMITS, files)
    (model,) = body.models.values()
    assert b"".join(model) == content


def test_nobody_can_name_a_model_that_was_taken_out_for_another(files: ExitStack) -> None:
    marks = set()
    for _ in range(2):
        body = body_of(json.dumps({"onnx": "A" * 100_000}))
        parse_json(body, LIMITS, files)
        marks |= set(body.models)
    assert len(marks) == 2


@pytest.mark.parametrize("wrong", ["!" * 100_000, "A" * 99_997, 'A\\"' * 50_000, "A=AA" * 20_000, "A\\u0041" * 20_000])
def test_a_long_model_that_is_no_base64_is_named(files: ExitStack, wrong: str) -> None:
    with pytest.raises(InputError, match="not valid base64"):
        parse_json(body_of('{"onnx": "' + wrong + '"}'), LIMITS, files)


@pytest.mark.usefixtures("piece_bytes")
@pytest.mark.parametrize(
    "plain",
    [{"text": "a" * 100_000}, {"a": [1] * 900, "b": " " * 70_000}, {"onnx": {"onnx": "x" * 70_000, "x": "y" * 70_000}}],
)
def test_what_is_no_model_stays_within_the_limit_of_texts(files: ExitStack, plain: object) -> None:
    with pytest.raises(BodyTooLargeError, match="without its models is longer than the limit of 32,768 bytes"):
        parse_json(body_of(json.dumps(plain)), LIMITS, files)


def test_a_string_without_an_end_is_no_json(files: ExitStack) -> None:
    with pytest.raises(ValueError, match="without an end"):
        parse_json(body_of('{"onnx": "' + "A" * 100_000), LIMITS, files)


def test_small_json_is_parsed_as_it_is(files: ExitStack) -> None:
    for plain in ({"onnx": "A" * 20_000}, [1.5, None, "ä"], {}):
        body = body_of(json.dumps(plain))
        assert parse_json(body, LIMITS, files) == plain
        assert not body.models


@pytest.mark.parametrize("wrap", [lambda members: members, lambda members: {"a": [1, {"b": members}]}])
def test_objects_have_few_members(wrap: Callable[[dict[str, int]], object]) -> None:
    require_few_members(wrap({f"m{at}": at for at in range(MOST_MEMBERS)}))
    with pytest.raises(InputError, match=r"An object of the JSON has 10,001 members; none has more than 10,000\."):
        require_few_members(wrap({f"m{at}": at for at in range(MOST_MEMBERS + 1)}))
    require_few_members([1, "a", None, [[]]])
    require_few_members("text")
