"""A service that listens on a port of its own, in a thread of the tests' process."""

import socket
from collections.abc import Iterator
from contextlib import contextmanager
from threading import Thread
from time import sleep

import uvicorn

from latcast import Client
from service.app import create_app
from service.settings import Settings
from tests.service.helpers import DEVICE, TARGET

__all__ = ["serving"]


@contextmanager
def serving(settings: Settings) -> Iterator[str]:
    """Address of a service over HTTP, with its own predictors, that one device has registered with.

    Args:
        settings: of the service; its database is there and upgraded.
    """
    with socket.create_server(("127.0.0.1", 0)) as listening:
        server = uvicorn.Server(uvicorn.Config(create_app(settings), log_config=None))
        thread = Thread(target=server.run, kwargs={"sockets": [listening]})
        thread.start()
        try:
            while not server.started:
                assert thread.is_alive(), "the service ended while it started"
                sleep(0.01)
            address = f"http://127.0.0.1:{listening.getsockname()[1]}"
            with Client(address) as client:
                client.register(DEVICE, [TARGET])
            yield address
        finally:
            server.should_exit = True
            thread.join()
