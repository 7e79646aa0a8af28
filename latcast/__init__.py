"""The SDK (`from latcast import Client, item`) and the vocabulary that every part of the project speaks.

It imports nothing of `service`, `predictors` or `profilers`: people's own projects have folders of those names.
"""

from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from latcast.client import Client
    from latcast.items import item

__all__ = ["Client", "item"]


def __getattr__(name: str) -> Any:
    """The client's names on first use: processes that measure read the vocabulary and need no HTTP."""
    if name == "Client":
        from latcast.client import Client

        return Client
    if name == "item":
        from latcast.items import item

        return item
    raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
