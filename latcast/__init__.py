"""The SDK (`from latcast import Client, AsyncClient, item`) and the vocabulary that every part of the project speaks.

It imports nothing of `service`, `predictors` or `profilers`: people's own projects have folders of those names.
"""

from importlib import import_module
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from latcast.asynchronous import AsyncClient
    from latcast.client import Client
    from latcast.constraints import Feasible
    from latcast.items import item
    from latcast.loops import Forecasts

__all__ = ["AsyncClient", "Client", "Feasible", "Forecasts", "item"]

PLACES = {
    "AsyncClient": "latcast.asynchronous",
    "Client": "latcast.client",
    "Feasible": "latcast.constraints",
    "Forecasts": "latcast.loops",
    "item": "latcast.items",
}


def __getattr__(name: str) -> Any:
    """The client's names on first use: processes that measure read the vocabulary and need no HTTP."""
    if name in PLACES:
        return getattr(import_module(PLACES[name]), name)
    raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
