"""What the commands share: options, output, and how a target is named."""

import os
import sys
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any, TypeVar

import typer

from latcast.schema import InputError, UnknownNameError
from latcast.schema.printable import json_text
from service.cli.tables import output

if TYPE_CHECKING:
    from latcast.client import Client
    from service.db.session import Database
    from service.settings import Settings

__all__ = [
    "DEFAULT_SERVER",
    "WORTH_SAYING",
    "DimOption",
    "JsonOption",
    "KeyOption",
    "ServerOption",
    "ShapeOption",
    "TargetOption",
    "check_writable",
    "console",
    "find_target",
    "has_words",
    "open_client",
    "open_database",
    "parse_pairs",
    "writable",
    "write_json",
]

DEFAULT_SERVER = "http://127.0.0.1:8321"
WORTH_SAYING = 0.03
"""Share by which a host has to drift before a report says so."""

ServerOption = Annotated[
    str, typer.Option("--server", envvar="LATCAST_SERVER", help="Address of the service.", metavar="URL")
]
KeyOption = Annotated[
    str | None,
    typer.Option("--key", envvar="LATCAST_KEY", help="API key, where the service asks for one.", show_envvar=True),
]
T = TypeVar("T")

TargetOption = Annotated[
    str | None,
    typer.Option(
        "--target",
        metavar="T",
        help="Id of the target or its beginning, the device's name, or words of both and of the label "
        "('pi openvino bf16'); may be left out while one target alone is offered.",
    ),
]
ShapeOption = Annotated[
    list[str] | None,
    typer.Option(
        "--shape",
        metavar="NAME=SIZES",
        help="Shape of an input with dynamic dimensions: x=1,3,224,224 or x=1x3x224x224; repeatable.",
    ),
]
DimOption = Annotated[
    list[str] | None,
    typer.Option(
        "--dim",
        metavar="SYMBOL=SIZE",
        help="Size of a symbol of the inputs' shapes: batch=1; repeatable. Whole shapes count before it.",
    ),
]


def writable(out: T) -> T:
    """The place of a result, as an option's callback: refused before the work if it cannot be written.

    Raises:
        InputError: nothing can be written there.
    """
    check_writable(None if out is None else str(out))
    return out


JsonOption = Annotated[
    str | None,
    typer.Option(
        "--json",
        metavar="OUT",
        help="Write everything as JSON; - prints only that.",
        callback=writable,
    ),
]

console = output(stderr=True)
"""Progress and remarks go to standard error; results go to standard output."""


def open_client(server: str, key: str | None) -> "Client":
    """A client of the service at `server`."""
    from latcast.client import Client

    return Client(server, key=key)


@contextmanager
def open_database(**options: Any) -> "Iterator[tuple[Database, Settings]]":
    """The database that `latcast serve` uses with the same settings, migrated; closed at the end.

    Args:
        options: settings by name; those that are None are read from the environment.

    Raises:
        InputError: settings or a database that cannot be used.
        UnavailableError: the database cannot be reached, read or written.
    """
    from latcast.errors import UnavailableError
    from service.db.failures import DATABASE_AWAY, cause_of
    from service.db.migrate import upgrade
    from service.db.session import Database, create_engine_for
    from service.settings import read_settings

    settings = read_settings(**options)
    database = Database(create_engine_for(settings))
    try:
        upgrade(database.engine)
        yield database, settings
    except DATABASE_AWAY as error:
        raise UnavailableError(f"{cause_of(error).sentence} Nothing was changed.") from error
    finally:
        database.close()


def parse_pairs(texts: Sequence[str], option: str) -> dict[str, str]:
    """`["key=value"]` → `{"key": "value"}`.

    Args:
        texts: as given.
        option: that they were given to, for the message.

    Raises:
        typer.BadParameter: a text that is not of that form.
    """
    pairs = {}
    for text in texts:
        key, sign, value = text.partition("=")
        if not (key and sign and value):
            raise typer.BadParameter(f"{option} wants KEY=VALUE, not {text!r}.")
        pairs[key] = value
    return pairs


def find_target(targets: Sequence[Mapping[str, Any]], wanted: str | None) -> Mapping[str, Any]:
    """The one target that is meant.

    Args:
        targets: as the service lists them.
        wanted: an id, the beginning of one, a device's name, or words of device and label; None for the only target, or
            the only one that is offered. Of several that fit, the only one that is offered is meant.

    Raises:
        InputError: no target, or more than one, fits; the message lists them.
    """
    if not targets:
        raise InputError("The service knows no target yet: run `latcast agent` on the device to register one.")
    matches = list(targets) if wanted is None else _fitting(targets, wanted)
    if not matches:
        raise UnknownNameError("target", wanted or "", [target["id"] for target in targets])
    offered = [target for target in matches if target.get("offered")]
    if len(offered) == 1:
        return offered[0]
    if len(matches) > 1:
        listed = "; ".join(f"{target['id']} ({target['device_name']}, {target['label']})" for target in matches)
        raise InputError(f"Several targets fit; choose one with --target ID: {listed}.")
    return matches[0]


def _fitting(targets: Sequence[Mapping[str, Any]], wanted: str) -> list[Mapping[str, Any]]:
    """The targets of that id; else those whose id begins so or whose device has the name; else those with the words."""
    return (
        [target for target in targets if target["id"] == wanted]
        or [target for target in targets if target["id"].startswith(wanted) or target["device_name"] == wanted]
        or [target for target in targets if has_words(f"{target['device_name']} {target['label']}", wanted)]
    )


def has_words(text: str, wanted: str) -> bool:
    """Whether a text has every one of these words, in any order and case."""
    return bool(wanted.strip()) and set(wanted.casefold().split()) <= set(text.casefold().split())


def write_json(value: Any, out: str) -> None:
    """Write JSON to a file, or to standard output for `-`.

    Raises:
        InputError: the file cannot be written.
    """
    text = json_text(value) + "\n"
    if out == "-":
        sys.stdout.write(text)
        return
    try:
        Path(out).write_text(text, encoding="utf-8")
    except OSError as error:
        raise _unwritable(out, error.strerror or "it failed") from error


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
