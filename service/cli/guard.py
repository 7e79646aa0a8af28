"""What stands around every command: failures end with a sentence and an exit code, never with a traceback.

| code | meaning |
| --- | --- |
| 0 | done; `campaign` and `import` list networks that failed and rows that cannot be read, and are done all the same |
| 1 | it failed, or one of several things did while the others were done; a sentence on standard error says why |
| 2 | wrong usage |
| 3 | `latcast agent`: the service refuses its key or token |
| 70 | a mistake in latcast: please report it, with what `--debug` shows |
"""

import os
import sys
from collections.abc import Callable, Sequence
from contextlib import suppress
from pathlib import Path

from latcast.schema import LatcastError
from latcast.schema.printable import visible_lines
from latcast.schema.quoting import at_home

__all__ = ["DEBUG", "FAILED", "INTERNAL", "guarded", "hoisted", "missing_extra", "with_homes"]

FAILED, INTERNAL = 1, 70
_AROUND = 20
"""Characters before and after the wrong one of a text that a sentence quotes."""
DEBUG = "--debug"
EXTRAS = {
    "agent": ("numpy", "onnx", "onnxruntime", "psutil"),
    "predictors": ("scipy", "lightgbm", "safetensors"),
    "service": ("alembic", "fastapi", "prometheus_client", "pyarrow", "pydantic", "pydantic_settings", "sqlalchemy",
                "structlog", "uvicorn"),
    "postgres": ("psycopg",),
    "ray": ("ray",),
    "torch": ("torch", "torch_geometric", "onnxscript"),
}  # fmt: skip
"""Which extra of the package brings which modules."""
COMMANDS = {
    "predictors export": "predictors", "frontier": "predictors", "friendliness": "predictors",
    "bench": "predictors", "bench serve": "service", "dataset": "service", "demo": "agent,service", "import": "service",
    "keys": "service", "score": "service", "serve": "service", "worker": "service",
}  # fmt: skip
"""The extras that a command needs, where the first module that it misses belongs to several of them."""


def hoisted(arguments: Sequence[str]) -> list[str]:
    """The arguments with `--debug` first, where the group takes it, wherever it was written before a `--`."""
    end = arguments.index("--") if "--" in arguments else len(arguments)
    rest = [argument for place, argument in enumerate(arguments) if argument != DEBUG or place > end]
    return [DEBUG, *rest] if len(rest) < len(arguments) else rest


def with_homes(arguments: Sequence[str]) -> list[str]:
    """The arguments, a ~ behind an option's `=` being the user's folder: shells replace it in words of its own only."""
    return [_with_home(argument) for argument in arguments]


def _with_home(argument: str) -> str:
    option, _, value = argument.partition("=")
    is_home = option.startswith("--") and value.split("/")[0] == "~"
    return f"{option}={at_home(Path(value))}" if is_home else argument


def guarded(run: Callable[[], object], *, debug: bool, arguments: Sequence[str] = ()) -> int:
    """Run a command line; its exit code. What went wrong is a sentence on standard error.

    Args:
        run: may raise anything; `SystemExit` passes.
        debug: show the trace of what went wrong, too.
        arguments: of the command line, which say what to install for it.
    """
    _write_anything()
    try:
        run()
    except BrokenPipeError:
        return _left_alone()
    except SystemExit as end:
        if isinstance(end.__context__, BrokenPipeError):  # libraries in between make 1 of it
            return _left_alone()
        raise
    except Exception as error:  # noqa: BLE001 - whatever it is, a person is told in a sentence
        if debug:
            sys.excepthook(type(error), error, error.__traceback__)
        sentence, code = _sentence(error, arguments)
        if sys.stderr is not None:  # closed (`2>&-`), it would be the results' stream
            print(f"latcast: {visible_lines(sentence)}", file=sys.stderr)
        return code
    return 0


def _left_alone() -> int:
    """The reader went away (`latcast … | head`): nothing to say, nothing more to flush, and nothing failed."""
    os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
    return 0


def _write_anything() -> None:
    """Make an output that cannot express a character write its escape."""
    for stream in (sys.stdout, sys.stderr):
        with suppress(AttributeError, ValueError):  # a test's stream, or one that is closed
            stream.reconfigure(errors="backslashreplace")  # type: ignore[union-attr]


def _sentence(error: Exception, arguments: Sequence[str]) -> tuple[str, int]:
    if isinstance(error, LatcastError):
        return str(error), FAILED
    if isinstance(error, ModuleNotFoundError) and (sentence := missing_extra(error, arguments)):
        return sentence, FAILED
    if isinstance(error, OSError):
        return _of_system(error), FAILED
    if isinstance(error, MemoryError):
        return "There is not enough memory for this.", FAILED
    if isinstance(error, UnicodeEncodeError) and _is_lone(error):
        near = error.object[max(error.start - _AROUND, 0) : error.end + _AROUND]
        return f"A text is not in UTF-8, as texts that are sent have to be: {near!r}.", FAILED
    return f"An unexpected error, {type(error).__name__}: {error}. Please report it, with what --debug shows.", INTERNAL


def _is_lone(error: UnicodeEncodeError) -> bool:
    """Whether it is about a byte of an argument that was no UTF-8, which Python keeps as half a surrogate pair."""
    return "\ud800" <= error.object[error.start] <= "\udfff"


def _is_nowhere() -> bool:
    try:
        Path.cwd()
    except OSError:
        return True
    return False


def _of_system(error: OSError) -> str:
    if isinstance(error, FileNotFoundError) and error.filename is None and _is_nowhere():
        return "The folder that this command was started in is gone: start it in another one."
    reason = error.strerror or str(error) or type(error).__name__
    names = [repr(str(name)) for name in (error.filename, error.filename2) if name is not None]
    return f"{' and '.join(names)} cannot be used: {reason}." if names else f"The system refuses: {reason}."


def missing_extra(error: ModuleNotFoundError, arguments: Sequence[str] = ()) -> str | None:
    """What to install for the module that is missing; None where no extra has it.

    Args:
        error: names the module.
        arguments: of the command line, which may need more than the module's extra.
    """
    module = (error.name or "").split(".")[0]
    extra = next((extra for extra, modules in EXTRAS.items() if module in modules), None)
    if extra is None:
        return None
    if extra in {"agent", "predictors", "service"}:
        words = [argument for argument in arguments if not argument.startswith("-")]
        extra = COMMANDS.get(" ".join(words[:2])) or COMMANDS.get(" ".join(words[:1])) or extra
    return f"This command needs {module!r}, which is not installed: pip install 'latcast[{extra}]'."
