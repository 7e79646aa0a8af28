"""The process beside `latcast serve` that takes what agents report, so that no forecast waits for it."""

import json
import os
import signal
import socket
import sys
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from service.api.door.hand_over import HandBack, HandedListener, HandOver
from service.cli.orderly_end import ending_in_order
from service.settings import Settings
from service.worker.embedded.process import BesideService
from service.worker.embedded.supervisor import LOOK_S, Supervisor
from service.worker.loop import Ticker

__all__ = ["agents_beside", "main"]

MODULE = "service.cli.agents_process"
NICENESS = 5
"""Forecasts go first where there are too few cores for both, and what agents report before what is learnt from it."""
METRICS = "metrics"
"""Folder in which the process counts."""


@contextmanager
def agents_beside(settings: Settings, shared: Path) -> Iterator[HandOver]:
    """While the block runs, another process serves the agents, as soon as they call often.

    Args:
        settings: of the service.
        shared: folder of what both processes share.
    """
    from service.operations.metrics import MULTIPROCESS

    (shared / METRICS).mkdir()
    (mine, theirs), (back, their_back) = socket.socketpair(), socket.socketpair()
    handed_back = HandedListener(back.detach(), ends=False)
    hand_over = HandOver(mine, [handed_back])

    def start(module: str, settings: Settings) -> BesideService:
        return BesideService(
            module,
            settings,
            arguments=[str(theirs.fileno()), str(their_back.fileno()), str(shared)],
            files=[theirs.fileno(), their_back.fileno()],
            environment={MULTIPROCESS: str(shared / METRICS)},
        )

    supervisor = Supervisor(MODULE, settings, wanted=hand_over.is_worth_it, start=start)

    def look() -> bool:
        before = supervisor.child
        supervisor.look()
        if supervisor.child is not before:
            hand_over.lost()
        return False

    ticker = Ticker("process of agents", LOOK_S, look)
    ticker.start()
    try:
        yield hand_over
    finally:
        ticker.stop()
        hand_over.close()
        for end in (handed_back, theirs, their_back):
            end.close()
        supervisor.end()


def main() -> int:
    """Serve whoever is handed over until the service ends; the exit code."""
    os.nice(NICENESS)
    with ending_in_order():  # the service's end is noticed in several ways, each of which sends a signal
        _serve()
    return 0


def _serve() -> None:
    from service.api.door.connections import serve_http
    from service.app import create_app
    from service.operations.logs import configure_logs

    settings = Settings(**json.loads(sys.stdin.readline()))
    configure_logs(settings)
    threading.Thread(target=_end_with_the_service, daemon=True).start()
    listener, back, shared = HandedListener(int(sys.argv[1])), socket.socket(fileno=int(sys.argv[2])), Path(sys.argv[3])
    app, hand_back = create_app(settings, shared=shared, in_background=False), HandBack(back)
    hand_back.is_agents = app.state.parts.identities.is_agents
    serve_http(app, settings, [listener], hand_over=hand_back, is_waited_for=False)


def _end_with_the_service() -> None:
    sys.stdin.read()
    os.kill(os.getpid(), signal.SIGTERM)


if __name__ == "__main__":
    sys.exit(main())
