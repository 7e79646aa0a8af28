"""Runtimes that can be measured, found through the entry points `latcast.backends`."""

from profilers.backends.base import Backend, KernelRecord, Session
from profilers.plugins import names, plugin

__all__ = ["Backend", "KernelRecord", "Session", "backend_names", "get_backend"]


def backend_names() -> tuple[str, ...]:
    """Names of all registered backends, whether this machine has their runtimes or not."""
    return names("backends")


def get_backend(name: str) -> Backend:
    """The backend of that name.

    Raises:
        UnknownNameError: no such backend.
    """
    backend: Backend = plugin("backends", name)()
    return backend
