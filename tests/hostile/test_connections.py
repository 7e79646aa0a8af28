"""Hostile connections: refused before anything is kept, with and without keys, and nobody else notices."""

import socket
from contextlib import ExitStack

import pytest

from tests.hostile.connections import ENTRIES, KEYED_ENTRIES, TYPED, head
from tests.hostile.entry import Entry, parameters, require_contained, try_out
from tests.hostile.served import Served


@pytest.mark.parametrize("entry", parameters(ENTRIES))
def test_connections_are_contained(served: Served, entry: Entry) -> None:
    require_contained(entry, try_out(served, entry))


@pytest.mark.slow
@pytest.mark.parametrize("entry", parameters(KEYED_ENTRIES))
def test_nothing_is_kept_without_a_key(keyed: Served, entry: Entry) -> None:
    require_contained(entry, try_out(keyed, entry))


def test_idle_connections_keep_nobody_out(served: Served) -> None:
    """Half heads and half bodies stay open while others are answered."""
    halves = [b"GET /healthz HTTP/1.1\r\nHo", head("POST /v1/predict HTTP/1.1", TYPED, b"Content-Length: 99") + b"{"]
    with ExitStack() as opened:
        for at in range(200):
            connection = opened.enter_context(socket.create_connection(("127.0.0.1", served.port)))
            connection.sendall(halves[at % 2])
        for _ in range(20):
            served.require_alive()
