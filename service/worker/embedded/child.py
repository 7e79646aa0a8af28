"""The embedded worker's process: gets the service's settings on standard input, and ends when that does."""

import json
import signal
import sys
import threading

from service.operations.logs import configure_logs
from service.settings import Settings
from service.worker.training.worker import work

__all__ = ["main"]


def main() -> int:
    """Work until no training waits, the service ends, or a signal comes; the exit code."""
    settings = Settings(**json.loads(sys.stdin.readline()))
    configure_logs(settings)
    stop = threading.Event()
    signal.signal(signal.SIGTERM, lambda *_: stop.set())
    threading.Thread(target=_stop_with_the_service, args=(stop,), daemon=True).start()
    work(settings, stop, once=True)
    return 0


def _stop_with_the_service(stop: threading.Event) -> None:
    sys.stdin.read()
    stop.set()


if __name__ == "__main__":
    sys.exit(main())
