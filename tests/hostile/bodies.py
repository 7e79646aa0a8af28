"""Hostile bodies and parameters of calls: deep, many, large, doubled and senseless values."""

import gzip
import json
from collections.abc import Callable
from typing import Any

from tests.hostile.entry import Entry
from tests.hostile.served import Answer, Served
from tests.service.helpers import CELL, TARGET

MIB = 2**20
ADAPT = f"/v1/targets/{TARGET.id}/adapt"
ITEM = {"space": "nasbench201", "text": CELL}
DESCRIBED = {"fingerprint": "d", "name": "d", "machine": "m", "processor": "p", "physical_cores": 1,
             "logical_cores": 1, "memory_bytes": 1}  # fmt: skip


def posted(
    name: str, content: Callable[[], bytes] | bytes, status: int, says: str = "", *, path: str = "/v1/predict",
    headers: dict[str, str] | None = None, **bounds: Any,
) -> Entry:  # fmt: skip
    """An entry of a body that is posted."""
    make = content if callable(content) else lambda: content
    return Entry(name=name, send=lambda it: it.call("POST", path, make(), headers=headers), status=status, says=says,
                 **bounds)  # fmt: skip


def got(name: str, path: str, status: int, says: str = "", *, fault: str = "") -> Entry:
    """An entry of a GET."""
    return Entry(name=name, send=lambda it: it.call("GET", path), status=status, says=says, fault=fault)


def asking(**changed: Any) -> bytes:
    """A question for forecasts, with members changed."""
    return json.dumps({"target": TARGET.id, "items": [ITEM], **changed}).encode()


def repeated(part: bytes, size: int, *, before: bytes = b'{"target":"t","items":[', after: bytes = b"]}") -> bytes:
    """A body of about this many bytes that repeats a part."""
    return before + b",".join([part] * (size // (len(part) + 1))) + after


FORECASTS = [
    posted("a-megabyte-of-ones", lambda: repeated(b"1", MIB), 413, "holds more than 200,000 values"),
    posted("eight-megabytes-of-ones", lambda: repeated(b"1", 8 * MIB), 413, "holds more than|larger than"),
    posted("eight-megabytes-of-lists", lambda: repeated(b"[]", 8 * MIB), 413, "holds more than|larger than"),
    posted("eight-megabytes-of-objects", lambda: repeated(b"{}", 8 * MIB), 413, "holds more than|larger than"),
    posted("items-within-the-values", lambda: repeated(b"1", 300_000), 422, "at most 10,000 items"),
    posted("items-that-all-are-bad", lambda: repeated(b"[]", 29_000), 422, "at most 1,000 items"),
    posted("too-many-items", asking(items=[ITEM] * 1001), 422, "at most 1,000 items"),
    posted("a-thousand-items", asking(items=[ITEM] * 1000), 200, grows_mib=60.0),
    posted("lists-in-lists", b"[" * 100_000, 400, "JSON|deep|nested"),
    posted("lists-in-items", b'{"target":"t","items":' + b"[" * 900 + b"]" * 900 + b"}", 400, "nested deeper"),
    posted("objects-in-objects", b'{"a":' * 50_000 + b"1" + b"}" * 50_000, 400, "JSON|deep|nested"),
    posted("a-target-of-a-megabyte", lambda: asking(target="t" * MIB), 422, "at most 200 "),
    posted("a-text-of-a-megabyte", lambda: asking(items=[{"space": "zoo", "text": "a" * MIB}]), 200, "at most 100000"),
    posted("members-of-one-name", b'{"target":"a","target":"b","items":[{"graph":"x"}],"level":0.5,"level":0.6}', 404,
           "no target 'b'"),
    posted("not-a-number", b'{"target":"t","items":[{}],"level":NaN}', 422, "level|JSON"),
    posted("infinity", b'{"target":"t","items":[{}],"level":-Infinity}', 422, "level|JSON"),
    posted("beyond-doubles", b'{"target":"t","items":[{}],"level":1e999}', 422, "level"),
    posted("a-number-of-5000-digits", b'{"target":"t","items":[{}],"level":' + b"9" * 5000 + b"}", 400, "JSON"),
    posted("half-a-surrogate", b'{"target":"\\ud800","items":[{}]}', 422, "surrogate"),
    posted("a-zero-byte", b'{"target":"a\\u0000","items":[{}]}', 422, "zero byte"),
    posted("not-utf-8", b'{"target":"\xff\xfe","items":[{}]}', 400, "."),
    posted("utf-16", '{"target":"t","items":[{}]}'.encode("utf-16"), 404, "no target"),
    posted("cut-off", b'{"target":"t","items":[{', 422, "JSON"),
    posted("nothing-but-blanks", b" " * 100_000, 422, "JSON"),
    posted("null", b"null", 422, "."),
    posted("a-list", b"[]", 422, "."),
    posted("members-nobody-knows", asking(**{f"a{at}": at for at in range(1000)}), 422, "not permitted"),
    posted("members-by-the-hundred-thousand", lambda: asking(**{f"a{at}": at for at in range(99_000)}), 422,
           "99,002 members", grows_mib=60.0),
    posted("members-by-the-thousand-in-items", lambda: asking(items=[{f"a{at}": at for at in range(9_999)}] * 10), 200,
           "not permitted", grows_mib=60.0),
    posted("spaces-by-the-hundred-thousand", lambda: json.dumps({"pool": {"space": [1] * 190_000}}).encode(), 422,
           "at most 100|valid string", path=ADAPT, grows_mib=60.0),
    posted("level-of-one", asking(level=1), 422, "less than or equal to 0.999999"),
    posted("level-of-nearly-one", asking(level=1 - 2**-53), 422, "less than or equal to 0.999999"),
    posted("level-of-nearly-nothing", asking(level=5e-324), 422, "greater than or equal to 0.000001"),
    posted("a-device-of-minus-one-core", lambda: device(device={**DESCRIBED, "physical_cores": -1}), 422, "below zero",
           path="/v1/devices/register"),
    posted("a-device-of-less-than-no-memory", lambda: device(device={**DESCRIBED, "memory_bytes": -(2**40)}), 422,
           "below zero", path="/v1/devices/register"),
    posted("an-origin-that-is-none", b"{}", 403, "cors_origins", path="/v1/keys/enrolment",
           headers={"Origin": "http://["}),
    posted("level-of-a-word", asking(level="much"), 422, "level"),
    posted("no-items", asking(items=[]), 422, "items"),
    posted("items-by-name", asking(items={"0": ITEM}), 422, "items"),
    posted("an-item-of-everything", asking(items=[{**ITEM, "graph": "g", "onnx": ""}]), 200, "exactly one of"),
    posted("not-base64", asking(items=[{"onnx": "%%%"}]), 200, "not valid base64"),
    posted("sizes-of-2-63", asking(items=[{"graph": "g", "shapes": {"x": [2**63]}}]), 200, "less than 9223"),
    posted("65-dimensions", asking(items=[{"graph": "g", "shapes": {"x": [1] * 65}}]), 200, "at most 64"),
    posted("shapes-of-10000-inputs", asking(items=[{"graph": "g", "shapes": {f"i{at}": [1] for at in range(10_000)}}]),
           200, "."),
    posted("markup-for-terminals", asking(target="[red]\x1b]0;pwned\x07[/red]"), 404, "no target"),
    posted("no-content-type", asking(), 415, "application/json", headers={"Content-Type": ""}),
    posted("plain-text", asking(), 415, "application/json", headers={"Content-Type": "text/plain"}),
    posted("a-form", b"target=t&items=1", 415, "application/json",
           headers={"Content-Type": "application/x-www-form-urlencoded"}),
    posted("compressed-zeros", lambda: gzip.compress(bytes(64 * MIB)), 413, "limit of 2,097,152 bytes",
           headers={"Content-Encoding": "gzip"}),
]  # fmt: skip

TEXTS = [
    posted(f"text-{space}-{name}", asking(items=[{"space": space, "text": text}]), 200, ".")
    for space in ("nasbench201", "fbnet", "ofa_mbv3", "zoo", "kernels")
    for name, text in (
        ("of-bars", "|" * 100_000),
        ("of-brackets", "(" * 100_000),
        ("of-digits", "9" * 100_000),
        ("of-arrows", "|nor_conv_3x3~0" * 6000 + "+"),
        ("of-equals", "a=" + "1," * 40_000),
    )
]

LIMITS = [
    posted("a-device-of-10000-targets", lambda: device(targets=[{"device": "d"}] * 10_000), 422, ".",
           path="/v1/devices/register"),
    posted("a-device-of-nothing", b"{}", 422, ".", path="/v1/devices/register"),
    posted("jobs-for-100000-graphs", lambda: profile(graphs=["g"] * 100_000), 422, "at most 10000", path="/v1/jobs"),
    posted("an-adaptation-to-10-9", b'{"samples":1000000000}', 422, "at most|less than", path=ADAPT),
    posted("an-adaptation-to-nowhere", b'{"pool":{"space":"nowhere"}}', 422, "nowhere", path=ADAPT),
    posted("settings-without-bounds", lambda: profile(graphs=["g"], settings={"max_seconds": 1e308}), 422, ".",
           path="/v1/jobs"),
    posted("settings-below-zero", lambda: profile(graphs=["g"], settings={"processes": -1}), 422, ".", path="/v1/jobs"),
    posted("a-token-for-ever", b'{"ttl_s":1e308}', 422, ".", path="/v1/keys/enrolment"),
    posted("a-token-that-is-no-number", b'{"ttl_s":NaN}', 422, ".", path="/v1/keys/enrolment"),
    posted("an-architecture-of-brackets", json.dumps({"space": "zoo", "text": "[" * 100_000}).encode(), 422, ".",
           path="/v1/architectures"),
    posted("shapes-that-nest", b"x", 422, "shapes", path="/v1/graphs?shapes=" + "[" * 10_000,
           headers={"Content-Type": "application/octet-stream"}),
    got("a-cursor-of-nonsense", "/v1/jobs?cursor=nonsense", 422, "cursor"),
    got("a-cursor-of-a-megabyte", "/v1/jobs?cursor=" + "A" * 30_000, 422, "."),
    got("pages-of-10-9-rows", "/v1/jobs?limit=1000000000", 422, "."),
    got("pages-of-minus-one-row", "/v1/jobs?limit=-1", 422, "."),
    got("a-state-of-sql", "/v1/jobs?state=done'%20OR%201=1--", 422, "."),
    got("a-target-of-sql", "/v1/jobs?target='%20OR%201=1--", 200),
    got("rows-of-a-zero-byte", f"/v1/targets/{TARGET.id}/dataset.csv?graph=%00", 422, "zero byte"),
    got("rows-by-nonsense", f"/v1/targets/{TARGET.id}/measurements?sort=nonsense", 422, "."),
    got("a-graph-by-path", "/v1/graphs/..%2f..%2f..%2fetc%2fpasswd", 404, "."),
    got("a-graph-of-a-zero-byte", "/v1/graphs/%00", 422, "zero byte"),
    got("a-measurement-of-10-30", "/v1/measurements/1000000000000000000000000000000", 404, "no measurement"),
    got("a-job-that-moves-the-cursor", "/v1/jobs/%1b%5b2J", 404, "."),
]  # fmt: skip


def device(**changed: Any) -> bytes:
    """A registration, with members changed."""
    return json.dumps({"device": DESCRIBED, "targets": [], **changed}).encode()


def profile(**changed: Any) -> bytes:
    """An order to measure."""
    return json.dumps({"kind": "profile", "target": TARGET.id, **changed}).encode()


def of_all_kinds(served: Served) -> Answer:
    """Good items beside bad ones."""
    items = [ITEM, 1, None, [], {"onnx": "%"}, {"graph": "nowhere"}, {"space": "nowhere", "text": "x"}, ITEM]
    answer = served.call("POST", "/v1/predict", asking(items=items))
    kinds = ["error" in item for item in answer.plain["items"]]
    assert kinds == [False, *[True] * 6, False], answer.plain
    return answer


MIXED = [Entry(name="good-items-beside-bad-ones", send=of_all_kinds, status=200)]
ENTRIES = [*FORECASTS, *TEXTS, *LIMITS, *MIXED]
"""Every body."""
