"""Where the results of commands go: to people on standard output, as JSON into a file or in place of it."""

import os
import stat
import sys
from collections.abc import Callable, Iterable, Sequence
from pathlib import Path
from typing import Any, TypeVar

import typer

from latcast.errors import ConflictError, NotFoundError
from latcast.schema import InputError
from latcast.schema.printable import json_text
from service.cli.tables import echo

__all__ = ["check_writable", "deliver", "done_for_each", "fail_each", "writable", "write_json", "write_text"]

T = TypeVar("T")


def deliver(document: Any, json_out: str | None, show: Callable[[], object], *, secret: bool = False) -> None:
    """Print a result for people, unless JSON takes its place on standard output, and write it as JSON where asked.

    People's text comes first, so that it is not lost when the file cannot be written.

    Args:
        document: the result as JSON.
        json_out: what `--json` was given.
        show: prints the result for people.
        secret: the file is its owner's alone.

    Raises:
        InputError: the file cannot be written.
    """
    if json_out != "-":
        show()
    if json_out is not None:
        write_json(document, json_out, secret=secret)


def done_for_each(names: Sequence[str], work: Callable[[str], T]) -> tuple[list[T], list[tuple[str, str]]]:
    """Do something with each of what was named: what came of those that went, and the others with the reason.

    Whatever is wrong with one of them keeps no other from being done; only what concerns them all is raised at once.

    Raises:
        LatcastError: there was one name alone, or the service cannot be asked at all.
    """
    done: list[T] = []
    problems: list[tuple[str, str]] = []
    for name in names:
        try:
            done.append(work(name))
        except (ConflictError, InputError, NotFoundError) as error:
            if len(names) == 1:
                raise
            problems.append((name, str(error)))
    return done, problems


def fail_each(problems: Iterable[tuple[str, str]]) -> None:
    """Print what went wrong with each of these, by name and sentence; end the command with 1 if there are any."""
    failed = False
    for name, problem in problems:
        failed = True
        echo(f"latcast: {name}: {problem}", err=True)
    if failed:
        raise typer.Exit(1)


def writable(out: T) -> T:
    """The place of a result, as an option's callback: refused before the work if it cannot be written.

    Raises:
        InputError: nothing can be written there.
    """
    check_writable(None if out is None else str(out))
    return out


def write_json(value: Any, out: str, *, secret: bool = False) -> None:
    """Write JSON to a file, or to standard output for `-`; a file with a secret is its owner's alone.

    Raises:
        InputError: the file cannot be written.
    """
    write_text(json_text(value) + "\n", out, secret=secret)


def write_text(text: str, out: str, *, secret: bool = False) -> None:
    """Write a text to a file, or to standard output for `-`; a file with a secret is its owner's alone.

    Raises:
        InputError: the file cannot be written.
    """
    if out == "-":
        sys.stdout.write(text)
        return
    try:
        with open(out, "w", encoding="utf-8", opener=_opened_for_owner if secret else None) as file:
            file.write(text)
    except OSError as error:
        raise _unwritable(out, error.strerror or "it failed") from error


def _opened_for_owner(path: str, flags: int) -> int:
    descriptor = os.open(path, flags, 0o600)
    if stat.S_ISREG(os.fstat(descriptor).st_mode):  # neither a pipe nor a terminal
        os.fchmod(descriptor, 0o600)
    return descriptor


def check_writable(out: str | None) -> None:
    """Find out before the work, not after it, that its result has nowhere to go.

    Raises:
        InputError: JSON cannot be written there.
    """
    if out is None or out == "-":
        return
    path, folder = Path(out), Path(out).absolute().parent
    if not folder.is_dir():
        raise _unwritable(out, f"there is no folder {str(folder)!r}: make it first")
    if path.is_dir():
        raise _unwritable(out, "it is a folder")
    if not os.access(path if path.exists() else folder, os.W_OK):
        raise _unwritable(out, "you may not write there")


def _unwritable(out: str, why: str) -> InputError:
    return InputError(f"The result cannot be written to {out!r}: {why}.")
