"""Hostile connections: bytes that no client library would send, and calls with headers that lie."""

from collections.abc import Callable

from tests.hostile.bodies import asking
from tests.hostile.entry import Entry
from tests.hostile.served import Answer, Served

MIB = 2**20
CLOSE = b"Connection: close"


def head(first: str | bytes, *headers: bytes, host: bytes = b"Host: 127.0.0.1") -> bytes:
    """The head of a request whose answer ends the connection."""
    line = first.encode() if isinstance(first, str) else first
    return b"\r\n".join([line, *([host] if host else []), CLOSE, *headers, b"", b""])


def sent(
    name: str, content: Callable[[], bytes] | bytes, status: int, says: str = "", *, fault: str = "",
    half_close: bool = False,
) -> Entry:  # fmt: skip
    """An entry of bytes on a connection."""
    make = content if callable(content) else lambda: content
    return Entry(
        name=name, send=lambda it: it.raw(make(), half_close=half_close), status=status, says=says, fault=fault
    )


TYPED, CHUNKED = b"Content-Type: application/json", b"Transfer-Encoding: chunked"
POST = "POST /v1/predict HTTP/1.1"
BODY = asking()


def chunked(*chunks: bytes) -> bytes:
    return b"".join(b"%x\r\n%b\r\n" % (len(chunk), chunk) for chunk in chunks) + b"0\r\n\r\n"


REQUESTS = [
    sent("a-length-below-zero", head(POST, TYPED, b"Content-Length: -5") + BODY, 400),
    sent("two-lengths", head(POST, TYPED, b"Content-Length: 5", b"Content-Length: 50") + BODY, 400),
    sent("a-length-of-words", head(POST, TYPED, b"Content-Length: many") + BODY, 400),
    sent("a-length-of-2-80", head(POST, TYPED, b"Content-Length: %d" % 2**80), 400),
    sent("a-length-of-a-gigabyte", head(POST, TYPED, b"Content-Length: %d" % 2**30), 413, "larger than"),
    sent("length-and-chunks", head(POST, TYPED, b"Content-Length: 5", CHUNKED) + chunked(BODY), 400),
    sent("chunks-twice", head(POST, TYPED, CHUNKED, CHUNKED) + chunked(BODY), 400),
    sent("a-length-with-a-sign", head(POST, TYPED, b"Content-Length: +5") + BODY, 400),
    sent("a-length-before-a-blank", head(POST, TYPED, b"Content-Length : 5") + BODY, 400),
    sent("a-chunk-without-its-end", head(POST, TYPED, CHUNKED) + b"2\r\n{}XX0\r\n\r\n", 400),
    sent("a-line-that-ends-early", head("GET /healthz HTTP/1.1", b"X: a\rY: b"), 400),
    sent("a-body-of-a-get", head("GET /healthz HTTP/1.1", b"Content-Length: 5") + b"a" * 5, 200),
    sent("an-overlong-path", head("GET /v1/graphs/%c0%ae%c0%ae%c0%af HTTP/1.1"), 404, "."),
    sent("a-path-upwards-from-the-dashboard", head("GET /dashboard/..%2f..%2fpyproject.toml HTTP/1.1"), 404, "."),
    sent("parameters-by-the-ten-thousand", head("GET /v1/jobs?" + "a=1&" * 10_000 + " HTTP/1.1"), 200),
    sent("an-event-id-of-nonsense", head("GET /v1/jobs/nowhere/events HTTP/1.1", b"Last-Event-ID: \xff" + b"9" * 5000),
         404, "no job"),
    sent("chunks-over-the-limit", lambda: head(POST, TYPED, CHUNKED) +
         chunked(*[b"1," * (MIB // 2)] * 20), 413, "larger than|holds more than"),
    sent("a-chunk-of-2-60", head(POST, TYPED, CHUNKED) + b"fffffffffffffff\r\nx", 0, half_close=True),
    sent("a-chunk-of-words", head(POST, TYPED, CHUNKED) + b"zz\r\nx\r\n0\r\n\r\n", 400),
    sent("a-coding-nobody-knows", head(POST, TYPED, b"Transfer-Encoding: bzip2") + BODY, 400),
    sent("half-a-body", head(POST, TYPED, b"Content-Length: 500") + BODY[:20], 0, half_close=True),
    sent("half-a-head", b"GET /healthz HTTP/1.1\r\nHost: 127", 0, half_close=True),
    sent("nothing", b"", 0, half_close=True),
    sent("zeros-on-the-wire", bytes(1000), 400),
    sent("a-handshake-of-tls", b"\x16\x03\x01\x02\x00\x01\x00\x01\xfc\x03\x03" + bytes(500), 400),
    sent("http-0-9", b"GET /healthz\r\n\r\n", 400),
    sent("http-2", b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n", 404),
    sent("http-9-9", head("GET /healthz HTTP/9.9"), 200),
    sent("a-head-of-a-megabyte", lambda: head("GET /healthz HTTP/1.1", b"X: " + b"x" * MIB), 400),
    sent("10000-headers", lambda: head("GET /healthz HTTP/1.1", *[b"X-%d: x" % at for at in range(10_000)]), 200),
    sent("a-header-that-moves-the-cursor", head("GET /healthz HTTP/1.1", b"X-Request-ID: \x1b[2J"), 200),
    sent("a-header-of-two-lines", head("GET /healthz HTTP/1.1", b"X: a\r\n b"), 200),
    sent("a-request-id-of-a-kilobyte", head("GET /healthz HTTP/1.1", b"X-Request-ID: " + b"a" * 1024), 200),
    sent("a-path-of-100-kilobytes", head("GET /" + "a" * 100_000 + " HTTP/1.1"), 404, "nothing at /a{199};"),
    sent("a-path-that-moves-the-cursor", head("GET /%1b%5b2J%00%0a HTTP/1.1"), 404, "nothing at"),
    sent("a-path-upwards", head("GET /../../../../etc/passwd HTTP/1.1"), 404, "nothing at"),
    sent("a-path-without-a-slash", head("GET healthz HTTP/1.1"), 404, "."),
    sent("an-address-of-elsewhere", head("GET http://evil.example/healthz HTTP/1.1"), 404, "."),
    sent("a-percent-alone", head("GET /v1/graphs/%zz HTTP/1.1"), 404, "."),
    sent("a-method-nobody-knows", head("STEAL /v1/targets HTTP/1.1"), 405, "."),
    sent("a-method-in-small-letters", head("get /healthz HTTP/1.1"), 405, "."),
    sent("trace", head("TRACE /v1/targets HTTP/1.1", b"Cookie: secret"), 405, "."),
    sent("connect", head("CONNECT 10.0.0.1:22 HTTP/1.1"), 404, "."),
    sent("options-of-everything", head("OPTIONS * HTTP/1.1"), 404, "."),
    sent("no-host", head("GET /v1/targets HTTP/1.1", host=b""), 400),
    sent("a-foreign-host", head("GET /v1/targets HTTP/1.1", host=b"Host: evil.example"), 421, "."),
    sent("two-hosts", head("GET /v1/targets HTTP/1.1", b"Host: evil.example"), 400),
    sent("a-host-that-begins-well", head("GET /v1/targets HTTP/1.1", host=b"Host: localhost.evil.example"), 421, "."),
    sent("an-upgrade-to-http-2", head("GET /healthz HTTP/1.1", b"Upgrade: h2c", b"HTTP2-Settings: AAA"), 200),
    sent("waits-to-go-on", head(POST, TYPED, b"Expect: 100-continue", b"Content-Length: 0"), 100),
    sent("ranges", head("GET /healthz HTTP/1.1", b"Range: bytes=" + b"0-1," * 2000 + b"0-1"), 200),
    sent("pipelined", head("GET /healthz HTTP/1.1").replace(CLOSE, b"X: x") * 200 + head("GET /healthz HTTP/1.1"), 200),
    sent("many-parts", head("POST /v1/graphs HTTP/1.1", b"Content-Type: multipart/form-data; boundary=x",
         b"Content-Length: 20000") + b"--x\r\n" * 4000, 415, "a form"),
]  # fmt: skip


def from_another_site(served: Served) -> Answer:
    return served.call("POST", "/v1/keys", b'{"scope":"admin"}', headers={"Origin": "https://evil.example"})


def made_up_methods(served: Served) -> Answer:
    """Metrics after three hundred methods that nobody knows."""
    for at in range(300):
        assert served.raw(head(f"M{at} /healthz HTTP/1.1")).status == 405
    metrics = served.call("GET", "/metrics")
    assert b'"M1"' not in metrics.body
    assert len(metrics.body) < 200_000
    return Answer(metrics.status)


def logged_paths(served: Served) -> Answer:
    """A path with control characters, and the log after it."""
    answer = served.raw(head("GET /%1b%5d0;pwned%07%9b2J HTTP/1.1"))
    assert not {"\x1b", "\x07", "\x9b"} & set(served.log)
    return answer


def length_and_chunks_between_others(served: Served) -> Answer:
    """A body whose end two headers tell, with a call behind it that one of them takes for a part of the body."""
    hidden = head("GET /v1/targets HTTP/1.1")
    first = b"POST /v1/predict HTTP/1.1\r\nHost: 127.0.0.1\r\n"
    answer = served.raw(first + b"Content-Length: 4\r\nTransfer-Encoding: chunked\r\n\r\n2\r\n{}\r\n0\r\n\r\n" + hidden)
    assert answer.body.count(b"HTTP/1.1") == 0, "the hidden call was answered"
    return answer


def long_paths(served: Served) -> Answer:
    """Paths of many kilobytes, of which the log keeps little."""
    before = served.log_size
    for _ in range(20):
        answer = served.raw(head("GET /" + "a" * 60_000 + " HTTP/1.1"))
    assert served.log_size - before < 60_000
    return answer


CALLS = [
    Entry(name="a-call-behind-length-and-chunks", send=length_and_chunks_between_others, status=400),
    Entry(name="long-paths-in-the-log", send=long_paths, status=404, says="nothing at"),
    Entry(name="a-page-of-another-site", send=from_another_site, status=403, says="."),
    Entry(name="three-hundred-methods", send=made_up_methods, status=200),
    Entry(name="a-path-in-the-log", send=logged_paths, status=404, says="nothing at"),
]
ENTRIES = [*REQUESTS, *CALLS]
"""Every connection, without keys."""


# --- Where keys are asked for -----------------------------------------------------------------------------------------


def keyless(name: str, path: str, content: Callable[[], bytes] = bytes, *, method: str = "GET", status: int = 401,
            says: str = "key", fault: str = "", grows_mib: float = 20.0) -> Entry:  # fmt: skip
    """An entry of a call without a key."""
    return Entry(
        name=f"keyless-{name}", send=lambda it: it.call(method, path, content(), key=False), status=status, says=says,
        fault=fault, grows_mib=grows_mib,
    )  # fmt: skip


def unread(served: Served) -> Answer:
    """A model of 100 MB that is announced by somebody without a key, of whom nothing but the head is read."""
    return served.raw(head("POST /v1/graphs HTTP/1.1", b"Content-Length: 100000000"))


def guesses(served: Served) -> Answer:
    """Keys that somebody guesses."""
    answers = [
        served.call("GET", "/v1/targets", key=False, headers={"Authorization": f"Bearer latcast_{at}"})
        for at in range(50)
    ]
    assert {answer.status for answer in answers} == {401}
    return answers[-1]


def odd_keys(served: Served) -> Answer:
    """Headers that are nearly a key."""
    secret = served.client.key
    for value in (
        "",
        "Bearer",
        "Basic eDp5",
        "Bearer " + "a" * 10_000,
        f"bearer\t{secret}",
        f"Bearer {secret}x",
    ):
        answer = served.call("GET", "/v1/targets", key=False, headers={"Authorization": value})
        assert answer.status == 401, value
    return answer


KEYED_ENTRIES = [
    keyless("lists-of-64-megabytes", "/v1/predict", lambda: b"[[]," * (16 * MIB), method="POST"),
    keyless("a-model-of-64-megabytes", "/v1/graphs", lambda: bytes(64 * MIB), method="POST"),
    keyless("a-registration", "/v1/devices/register", lambda: b'{"device":{}}', method="POST", status=422, says="fit"),
    keyless("targets", "/v1/targets"),
    keyless("a-target-that-is-not-there", "/v1/targets/nowhere"),
    keyless("jobs", "/v1/jobs"),
    keyless("a-lease", "/v1/jobs/lease", lambda: b'{"wait_s":30}', method="POST"),
    keyless("a-stream", "/v1/jobs/nowhere/events"),
    keyless("metrics", "/metrics"),
    keyless("a-key", "/v1/keys", lambda: b'{"scope":"admin"}', method="POST"),
    keyless("the-description", "/openapi.json"),
    keyless("the-pages", "/docs"),
    keyless("other-pages", "/redoc"),
    keyless("nowhere", "/v1/nowhere", status=404, says="nothing at"),
    Entry(name="keyless-announces-100-megabytes", send=unread, status=401, says="key", grows_mib=20.0),
    Entry(name="keyless-guesses", send=guesses, status=401, says="key", grows_mib=20.0),
    Entry(name="keyless-odd-headers", send=odd_keys, status=401, says="key", grows_mib=20.0),
]  # fmt: skip
"""Every call without a key."""
