"""The worst of the corpus at once, thrown by a process of its own, while somebody else asks for little.

`python -m tests.hostile --at-once` prints what that does to the others' waiting times, as ratios: both are measured in
one run, in turns, for seconds alone say more of the machine than of the service.
"""

import socket
import subprocess
import sys
import time
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from itertools import cycle, islice
from statistics import median, quantiles
from threading import Event, Thread

import httpx2

from tests.hostile import bodies, models
from tests.hostile.connections import TYPED, head
from tests.hostile.served import HANG_S, MIB, ROOT, Served

__all__ = ["ATTACKERS", "CALLS_OF_EACH", "Honest", "Round", "attacked", "run_round", "table"]

ATTACKERS, CALLS_OF_EACH, IDLE = 8, 6, 50
PAUSE_S = 0.05
"""Between two calls of whoever asks for little."""
WORST = (
    "chain_of_20_000", "chain_of_100_000", "fan_of_8_000", "functions_that_double_to_2_16", "value_infos_for_nobody",
    "many_edges", "loop_with_a_large_body", "tree_ensemble_of_20_000_nodes", "layer_norm_over_axis_2_31",
)  # fmt: skip
"""Files that take the most, and one that ends the process that reads it."""


class Caller:
    """Calls a service that somebody else started, as `Served` does."""

    call = Served.call

    def __init__(self, url: str) -> None:
        self.http, self.key = httpx2.Client(base_url=url, timeout=HANG_S), {}


def attacks() -> Iterator[Callable[[Caller], object]]:
    """What is thrown, again and again: forecasts, uploads and bodies."""
    for name in cycle(WORST):
        content = models.FILES[name]()
        yield lambda it, content=content: models.forecast(it, content)
        yield lambda it, content=content: models.upload(it, content)
        yield lambda it: it.call("POST", "/v1/predict", bodies.repeated(b"[]", 8 * MIB))
        yield lambda it: it.call("POST", "/v1/predict", bodies.asking(items=[bodies.ITEM] * 1000))
        yield lambda it: it.call("POST", "/v1/graphs", bytes(32 * MIB))


def main(url: str) -> None:
    """Throw everything once it is made and somebody says go; until then and afterwards be quiet."""
    thrown = list(islice(attacks(), ATTACKERS * CALLS_OF_EACH))
    callers = [Caller(url) for _ in range(ATTACKERS)]
    sys.stdout.write("ready\n")
    sys.stdout.flush()
    sys.stdin.readline()

    def attack(place: int) -> None:
        for call in thrown[place::ATTACKERS]:
            call(callers[place])

    with ThreadPoolExecutor(ATTACKERS) as pool:
        list(pool.map(attack, range(ATTACKERS)))


@contextmanager
def attacked(served: Served) -> Iterator[Event]:
    """Somebody attacks, over connections that say nothing besides; the event is set once all was thrown.

    Raises:
        CalledProcessError: an attacker's call was not answered.
    """
    over = Event()
    command = [sys.executable, "-m", "tests.hostile.at_once", served.client.base_url]
    with ExitStack() as opened:
        process = opened.enter_context(
            subprocess.Popen(command, cwd=ROOT, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True)
        )
        assert process.stdin is not None
        assert process.stdout is not None
        assert process.stdout.readline() == "ready\n"
        for _ in range(IDLE):
            connection = opened.enter_context(socket.create_connection(("127.0.0.1", served.port)))
            connection.sendall(head("POST /v1/predict HTTP/1.1", TYPED, b"Content-Length: 99") + b"{")
        process.stdin.write("go\n")
        process.stdin.flush()
        waiting = Thread(target=lambda: (process.wait(), over.set()), daemon=True)
        waiting.start()
        try:
            yield over
        finally:
            if not over.is_set():
                process.kill()
            waiting.join()
        if process.returncode:
            raise subprocess.CalledProcessError(process.returncode, command)


class Honest:
    """Asks for little: whether the service is there, and a single text; notes how long each answer took."""

    def __init__(self, served: Served) -> None:
        self._served = served
        self.seconds: dict[str, list[float]] = {"/healthz": [], "single text": []}

    def ask(self) -> None:
        """Once for each.

        Raises:
            AssertionError: it was not answered.
        """
        for name, method, path, body in (
            ("/healthz", "GET", "/healthz", b""), ("single text", "POST", "/v1/predict", bodies.asking()),
        ):  # fmt: skip
            began = time.perf_counter()
            answer = self._served.call(method, path, body)
            self.seconds[name].append(time.perf_counter() - began)
            assert answer.status == 200, answer
        time.sleep(PAUSE_S)

    def p99_ms(self, name: str) -> float:
        """99 % were answered within so many ms."""
        return 1e3 * quantiles(self.seconds[name], n=100, method="inclusive")[-1]


@dataclass(frozen=True, kw_only=True)
class Round:
    """What others waited while the service was idle, and while it was attacked; and the memory of the second.

    Args:
        idle, busy: p99 in ms, by call.
        calls: how many there were under the attack, of each.
        server_mib, workers_mib: at the worst moment.
    """

    idle: dict[str, float]
    busy: dict[str, float]
    calls: int
    server_mib: float
    workers_mib: float


def run_round(served: Served, *, idle_calls: int = 200) -> Round:
    """Ask while nothing else happens, then while the worst does."""
    idle, busy = Honest(served), Honest(served)
    for _ in range(idle_calls):
        idle.ask()
    served.memory.begin()
    with attacked(served) as over:
        while not over.is_set():
            busy.ask()
    served.require_alive()
    return Round(
        idle={name: idle.p99_ms(name) for name in idle.seconds},
        busy={name: busy.p99_ms(name) for name in busy.seconds},
        calls=len(busy.seconds["/healthz"]),
        server_mib=served.memory.server_mib,
        workers_mib=served.memory.workers_mib,
    )


def table(rounds: Sequence[Round]) -> str:
    """Markdown: p99 in ms of both, their ratio, and memory; medians of the rounds at the end."""
    lines = ["| call | idle p99, ms | attacked p99, ms | ratio |", "| --- | --- | --- | --- |"]
    for name in rounds[0].idle:
        pairs = [(one.idle[name], one.busy[name]) for one in rounds]
        lines += [f"| {name} | {idle:.1f} | {busy:.1f} | {busy / idle:.1f} |" for idle, busy in pairs]
        ratio = median(busy / idle for idle, busy in pairs)
        lines.append(f"| **{name}**, median of {len(rounds)} | | | **{ratio:.1f}** |")
    server, workers = max(one.server_mib for one in rounds), max(one.workers_mib for one in rounds)
    calls = ", ".join(str(one.calls) for one in rounds)
    return "\n".join([*lines, "", f"Most memory: server {server:.0f} MiB, workers {workers:.0f} MiB; calls: {calls}."])


if __name__ == "__main__":
    main(sys.argv[1])
