"""The client for programs on an event loop."""

from latcast.asynchronous.client import AsyncClient

__all__ = ["AsyncClient"]
