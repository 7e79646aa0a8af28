"""The worst of the corpus at once: the server's memory stays within its promise, and others are answered meanwhile."""

import socket
import time
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import ExitStack
from itertools import cycle, islice
from threading import Event

import httpx2
import pytest

from latcast.client import Client
from tests.hostile import bodies, models
from tests.hostile.connections import TYPED, head
from tests.hostile.served import MIB, SERVER_MIB, WORKERS_MIB, Served
from tests.service.helpers import CELL, TARGET

ATTACKERS, CALLS_OF_EACH, IDLE = 8, 6, 50
WORST = (
    "chain_of_20_000", "chain_of_100_000", "fan_of_8_000", "functions_that_double_to_2_16", "value_infos_for_nobody",
    "many_edges", "loop_with_a_large_body", "tree_ensemble_of_20_000_nodes", "layer_norm_over_axis_2_31",
)  # fmt: skip
"""Files that take the most, and one that ends the process that reads it."""


def attacks() -> Iterator[Callable[[Served], object]]:
    """What is thrown, again and again: forecasts, uploads and bodies."""
    for name in cycle(WORST):
        content = models.FILES[name]()
        yield lambda served, content=content: models.forecast(served, content)
        yield lambda served, content=content: models.upload(served, content)
        yield lambda served: served.call("POST", "/v1/predict", bodies.repeated(b"[]", 8 * MIB))
        yield lambda served: served.call("POST", "/v1/predict", bodies.asking(items=[bodies.ITEM] * 1000))
        yield lambda served: served.call("POST", "/v1/graphs", bytes(32 * MIB))


@pytest.mark.slow
def test_the_worst_at_once(served: Served) -> None:
    over, answered = Event(), []

    def honest() -> None:
        with Client(served.client.base_url) as client:
            while not over.is_set():
                assert httpx2.get(f"{client.base_url}/healthz").status_code == 200
                (answer,) = client.predict(TARGET.id, [{"space": "nasbench201", "text": CELL}])
                answered.append(answer["latency_ms"])
                time.sleep(0.05)

    def attack(calls: list[Callable[[Served], object]]) -> None:
        for call in calls:
            call(served)

    thrown = list(islice(attacks(), ATTACKERS * CALLS_OF_EACH))
    served.memory.begin()
    with ExitStack() as opened, ThreadPoolExecutor(ATTACKERS + 1) as pool:
        for _ in range(IDLE):
            connection = opened.enter_context(socket.create_connection(("127.0.0.1", served.port)))
            connection.sendall(head("POST /v1/predict HTTP/1.1", TYPED, b"Content-Length: 99") + b"{")
        watched = pool.submit(honest)
        attackers = [pool.submit(attack, thrown[at::ATTACKERS]) for at in range(ATTACKERS)]
        try:
            for attacker in attackers:
                attacker.result()
        finally:
            over.set()
        watched.result()
    served.require_alive()
    assert len(answered) > 3
    assert served.memory.server_mib <= SERVER_MIB
    assert served.memory.workers_mib <= WORKERS_MIB
