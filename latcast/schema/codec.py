"""Records to plain JSON values and back, with the standard library alone.

`to_plain(record)` gives dicts, lists, strings, numbers; `from_plain(cls, value)` checks while it rebuilds, and says
where a value does not fit. What is sent between agent and service, and what `--json` prints, goes through here.
"""

import types
from collections.abc import Mapping
from dataclasses import MISSING, fields, is_dataclass
from enum import Enum
from functools import cache
from typing import Any, TypeVar, Union, get_args, get_origin, get_type_hints

from latcast.schema.counting import counted
from latcast.schema.errors import InputError

__all__ = ["from_plain", "to_plain"]

T = TypeVar("T")
AS_THEY_ARE = frozenset({float, int, str, bool, type(None)})
"""Types of nearly all values: thousands of samples in a measurement."""


def to_plain(value: Any) -> Any:
    """A record, or any nesting of records, mappings, sequences and NumPy's numbers and arrays, as JSON values."""
    if type(value) in AS_THEY_ARE:
        return value
    if is_dataclass(value) and not isinstance(value, type):
        return {item.name: to_plain(getattr(value, item.name)) for item in fields(value)}
    if isinstance(value, Mapping):
        return {str(key): to_plain(item) for key, item in value.items()}
    if isinstance(value, tuple | list | frozenset | set):
        items = sorted(value) if isinstance(value, frozenset | set) else value
        return [item if type(item) in AS_THEY_ARE else to_plain(item) for item in items]
    if isinstance(value, Enum):
        return value.value
    # NumPy's numbers and arrays, and tensors of other libraries, without importing any of them.
    return value.tolist() if callable(getattr(value, "tolist", None)) else value


def from_plain(cls: type[T], value: Any, *, path: str = "") -> T:
    """The record of type `cls` that `value` describes.

    Args:
        cls: a dataclass of the schema.
        value: JSON values, as `to_plain` gives them; unknown keys are refused.
        path: where in a larger document the value stands, for messages.

    Raises:
        InputError: something is missing, unknown or of the wrong type; the message says where.
    """
    if not isinstance(value, Mapping):
        raise InputError(f"{path or cls.__name__}: expected an object, found {_kind(value)}.")
    hints = _hints(cls)  # type: ignore[arg-type]
    unknown = sorted(set(value) - set(hints))
    if unknown:
        raise InputError(f"{path or cls.__name__}: unknown field {unknown[0]!r}; known are {', '.join(hints)}.")
    missing = [name for name, (_, required) in hints.items() if required and name not in value]
    if missing:
        raise InputError(f"{path or cls.__name__}: the field {missing[0]!r} is missing.")
    built = {name: _build(hints[name][0], item, f"{path}.{name}" if path else name) for name, item in value.items()}
    return cls(**built)


@cache
def _hints(cls: type) -> dict[str, tuple[Any, bool]]:
    hints = get_type_hints(cls)
    return {
        item.name: (hints[item.name], item.default is MISSING and item.default_factory is MISSING)
        for item in fields(cls)
    }


def _build(hint: Any, value: Any, path: str) -> Any:
    origin = get_origin(hint)
    if origin in (Union, types.UnionType):
        return _build_union(get_args(hint), value, path)
    if is_dataclass(hint):
        return from_plain(hint, value, path=path)  # type: ignore[arg-type]
    if origin is tuple:
        return _build_tuple(get_args(hint), value, path)
    if origin is frozenset:
        return frozenset(_build_tuple((*get_args(hint), ...), value, path))
    if origin is not None and issubclass(origin, Mapping):
        if not isinstance(value, Mapping):
            raise InputError(f"{path}: expected an object, found {_kind(value)}.")
        inner = get_args(hint)[1]
        return {str(key): _build(inner, item, f"{path}.{key}") for key, item in value.items()}
    return _build_scalar(hint, value, path)


def _build_union(options: tuple[Any, ...], value: Any, path: str) -> Any:
    if value is None and type(None) in options:
        return None
    problem: InputError | None = None
    for option in options:
        if option is type(None):
            continue
        try:
            return _build(option, value, path)
        except InputError as error:
            problem = problem or error
    raise problem or InputError(f"{path}: unexpected {_kind(value)}.")


def _build_tuple(args: tuple[Any, ...], value: Any, path: str) -> tuple[Any, ...]:
    if not isinstance(value, list | tuple):
        raise InputError(f"{path}: expected a list, found {_kind(value)}.")
    if args[-1] is Ellipsis:
        return tuple(_build(args[0], item, f"{path}[{index}]") for index, item in enumerate(value))
    if len(args) != len(value):
        raise InputError(f"{path}: expected {counted(len(args), 'item')}, found {len(value)}.")
    pairs = zip(args, value, strict=True)
    return tuple(_build(arg, item, f"{path}[{index}]") for index, (arg, item) in enumerate(pairs))


def _build_scalar(hint: Any, value: Any, path: str) -> Any:
    if hint is float and isinstance(value, int | float) and not isinstance(value, bool):
        return float(value)
    if isinstance(hint, type) and issubclass(hint, Enum):
        return _build_member(hint, value, path)
    if isinstance(hint, type) and isinstance(value, hint) and (hint is bool or not isinstance(value, bool)):
        return value
    wanted = getattr(hint, "__name__", str(hint))
    raise InputError(f"{path}: expected {wanted}, found {_kind(value)}.")


def _build_member(hint: type[Enum], value: Any, path: str) -> Enum:
    try:
        return hint(value)
    except ValueError:
        wanted = ", ".join(repr(member.value) for member in hint)
        raise InputError(f"{path}: expected one of {wanted}, found {value!r}.") from None


def _kind(value: Any) -> str:
    return "null" if value is None else type(value).__name__
