"""What all runtimes have to ask and to tell: is it installed, is this asked for in words it knows, was it memory."""

from collections.abc import Mapping, Sequence
from importlib.metadata import PackageNotFoundError, version

from latcast.schema import Availability, InputError
from profilers.backends.base import Backend

__all__ = ["check_precision", "checked_options", "memory_error", "probe_package"]

ALLOCATION_FAILURES = ("bad_alloc", "bad allocation", "Failed to allocate memory", "could not create a memory object",
                       "memory allocation of", "Cannot allocate memory")  # fmt: skip
"""How runtimes say that they got no memory."""


def probe_package(package: str, *, runtime: str, extra: str, precisions: Sequence[str]) -> Availability:
    """Whether a Python package is installed, from its metadata: nothing is imported.

    Args:
        package: its name on the index.
        runtime: its name for people.
        extra: latcast's extra that installs it.
        precisions: those that it can run here.
    """
    try:
        installed = version(package)
    except PackageNotFoundError:
        return Availability(ok=False, reason=f"{runtime} is not installed: pip install 'latcast[{extra}]'.")
    return Availability(ok=True, version=installed, precisions=tuple(precisions))


def check_precision(runtime: str, precision: str, backend: Backend) -> None:
    """Refuse a precision that the backend does not know.

    Args:
        runtime: its name for people.
        precision: the one that is asked for.
        backend: the one that is asked.

    Raises:
        InputError: it is not among them.
    """
    if precision not in backend.precisions:
        raise InputError(f"{runtime} cannot run the precision {precision!r}: choose {', '.join(backend.precisions)}.")


def checked_options(runtime: str, options: Mapping[str, str], backend: Backend) -> dict[str, str]:
    """The options with defaults filled in.

    Args:
        runtime: its name for people.
        options: those that are asked for.
        backend: the one that is asked.

    Raises:
        InputError: an unknown option or value.
    """
    defaults, choices = backend.default_options, backend.option_choices
    for key, value in options.items():
        if key not in defaults:
            which = f"known are {', '.join(defaults)}" if defaults else "it has none"
            raise InputError(f"{runtime} has no option {key!r}: {which}.")
        if key in choices and value not in choices[key]:
            raise InputError(f"The option {key} cannot be {value!r}: choose {', '.join(choices[key])}.")
    return {**defaults, **options}


def memory_error(error: Exception, words: str) -> MemoryError | None:
    """The runtime's exception as a `MemoryError`, where lack of memory is what it is about.

    Args:
        error: what the runtime raised.
        words: its message, fit for people.
    """
    if isinstance(error, MemoryError):
        return error
    return MemoryError(words) if any(sign in str(error) for sign in ALLOCATION_FAILURES) else None
