"""Runtimes that can be measured, found through the entry points `latcast.backends`."""

from latcast.schema import UnknownNameError
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
    if name not in backend_names():
        raise UnknownNameError("backend", name, [other for other in backend_names() if not _is_for_tests(other)])
    backend: Backend = plugin("backends", name)()
    return backend


def _is_for_tests(name: str) -> bool:
    return bool(getattr(plugin("backends", name), "for_tests", False))
