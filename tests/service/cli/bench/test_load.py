"""Callers of `latcast bench serve`: whole answers are read, errors are quoted."""

import asyncio
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

from latcast.schema import LatcastError
from service.cli.bench import load as load_module
from service.cli.bench.load import Call, drive, prepared

ANSWERS = {b"/ok": b"HTTP/1.1 200 OK\r\ncontent-length: 5\r\n\r\nhello",
           b"/no": b"HTTP/1.1 422 Unprocessable\r\nContent-Length: 9\r\n\r\nno thanks",
           b"/odd": b"HTTP/1.1 200 OK\r\n\r\n"}  # fmt: skip


@contextmanager
def server(seen: list[bytes]) -> Iterator[int]:
    """A server that keeps connections open and answers by the path."""
    ready, ports = threading.Event(), []

    async def answer(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        while head := await reader.readline():
            length = 0
            while (line := await reader.readline()) not in (b"\r\n", b""):
                if line.lower().startswith(b"content-length:"):
                    length = int(line.split(b":")[1])
            seen.append(await reader.readexactly(length))
            writer.write(ANSWERS[head.split()[1]])
        writer.close()

    async def serve() -> None:
        listening = await asyncio.start_server(answer, "127.0.0.1", 0)
        ports.append(listening.sockets[0].getsockname()[1])
        stop.append((asyncio.get_running_loop(), asyncio.Event()))
        ready.set()
        await stop[0][1].wait()
        listening.close()

    stop: list[tuple[asyncio.AbstractEventLoop, asyncio.Event]] = []
    thread = threading.Thread(target=lambda: asyncio.run(serve()), daemon=True)
    thread.start()
    assert ready.wait(10)
    try:
        yield ports[0]
    finally:
        stop[0][0].call_soon_threadsafe(stop[0][1].set)
        thread.join(10)


def call(path: str, body: bytes = b"{}") -> Call:
    return prepared(path, body, host="127.0.0.1")


def test_each_caller_sends_its_calls_in_turn_over_one_connection() -> None:
    seen: list[bytes] = []
    with server(seen) as port:
        load = drive(port, [call("/ok", b"[1]"), call("/ok", b"[2]")], callers=3, seconds=0.0, warmup=1)
    assert load.calls == 3
    assert len(seen) == 6
    assert sorted(seen[:3]) == [b"[1]", b"[1]", b"[2]"], "callers begin at different calls"
    assert 0 < load.p50_ms <= load.p99_ms
    assert load.answer_bytes == 5
    assert load.per_second == pytest.approx(3 / load.seconds)


def test_answers_that_are_no_success_end_the_run_with_their_words() -> None:
    with server([]) as port:
        with pytest.raises(LatcastError, match="answered 422: no thanks"):
            drive(port, [call("/no")], callers=1, seconds=0.0)
        with pytest.raises(LatcastError, match="no Content-Length"):
            drive(port, [call("/odd")], callers=1, seconds=0.0)


def test_what_callers_waited_for_a_core_is_told_apart(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    """Of each call that takes at least 20 ms the callers have waited 15 for a core, if the system is believed."""
    waits, asked = tmp_path / "schedstat", []
    waits.write_text("0 0 1")
    monkeypatch.setattr(load_module, "WAITS", str(waits))

    async def slow(line: object, sent: Call) -> int:
        asked.append(sent)
        time.sleep(0.02)  # nobody else waits
        waits.write_text(f"7 {len(asked) * 15_000_000} 1")
        return 1

    monkeypatch.setattr(load_module, "_call", slow)
    with server([]) as port:
        load = drive(port, [call("/ok")], callers=1, seconds=0.1)
    assert load.p99_ms >= 20
    assert load.p99_served_ms == pytest.approx(load.p99_ms - 15, abs=0.01)
    monkeypatch.setattr(load_module, "WAITS", str(tmp_path / "none"))
    with server([]) as port:
        load = drive(port, [call("/ok")], callers=1, seconds=0.1)
    assert load.p99_served_ms == load.p99_ms, "no system says how long it was"
