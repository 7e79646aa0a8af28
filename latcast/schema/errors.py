"""Everything that can go wrong on purpose, as one tree.

```
LatcastError
├── InputError                     what the caller gave cannot be used: a 4xx, a non-zero exit
│   ├── InvalidModelError          not ONNX, truncated, inconsistent, external data
│   │   ├── ModelLimitError        a limit was exceeded; names the limit and its value
│   │   ├── UnboundDimensionError  dynamic dimensions that are not bound; lists them
│   │   └── UnsupportedOperatorError
│   ├── InvalidFeedsError          feeds that do not fit the model's inputs
│   ├── InvalidArchitectureError   a text that is not in its search space
│   ├── UnknownNameError           a space, predictor, backend, sampler or target that is unknown
│   └── UnsupportedGraphError      a predictor cannot read this graph; names the operators
├── BackendUnavailableError        a runtime this machine lacks, with the reason
├── NotFittedError                 predict or adapt before fit
├── MissingEvidenceError           a predictor needs evidence of the device that was not given
└── ArtifactError                  an artifact that is corrupt, foreign or of a newer format
```

A message is one or two sentences for the person who caused it: what was wrong, and what to do. A measurement
that failed is not an exception but a `Failure` record (see `measurement.py`).
"""

import shlex
from collections.abc import Mapping, Sequence
from difflib import get_close_matches
from typing import Any

from latcast.schema.printable import visible_lines

__all__ = [
    "UNKNOWN_RANK",
    "ArtifactError",
    "BackendUnavailableError",
    "InputError",
    "InvalidArchitectureError",
    "InvalidFeedsError",
    "InvalidModelError",
    "LatcastError",
    "MissingEvidenceError",
    "ModelLimitError",
    "NotFittedError",
    "UnboundDimensionError",
    "UnknownNameError",
    "UnsupportedGraphError",
    "UnsupportedOperatorError",
]

UNKNOWN_RANK = "of unknown rank"
"""What stands for the symbol of an input whose number of dimensions the model does not declare."""


class LatcastError(Exception):
    """Root of the tree; `str(error)` is fit to be shown to a person, whatever names of others are in it."""

    def __str__(self) -> str:
        return visible_lines(super().__str__(), indent="")

    def __reduce__(self) -> tuple[Any, ...]:
        """Errors cross to other processes as they are, whatever their constructors take."""
        return _rebuilt, (type(self), self.args, self.__dict__)


def _rebuilt(cls: type[LatcastError], args: tuple[object, ...], attributes: Mapping[str, Any]) -> LatcastError:
    error = cls.__new__(cls, *args)
    error.__dict__.update(attributes)
    return error


class InputError(LatcastError):
    """What the caller gave cannot be used."""


class InvalidModelError(InputError):
    """The bytes are not a model that can be read."""


class ModelLimitError(InvalidModelError):
    """A model exceeds a limit.

    Args:
        limit: name of the limit, as in `profilers.onnx_graph.Limits`.
        allowed: the limit's value.
        found: what the model has.
    """

    def __init__(self, limit: str, *, allowed: int, found: int | str) -> None:
        self.limit, self.allowed, self.found = limit, allowed, found
        super().__init__(f"The model exceeds the limit {limit} = {allowed:,}: it has {found}.")


class UnboundDimensionError(InvalidModelError):
    """Inputs with dynamic dimensions that the caller did not bind.

    Args:
        dimensions: (input name, axis position, symbol or "") of each unbound dimension; the symbol is `UNKNOWN_RANK`
            for an input without a declared rank.
        declared: shape of each input as the model declares it, for the examples in the message: a size, a symbol, or
            "" for each dimension; None for an unknown rank.
    """

    def __init__(
        self,
        dimensions: Sequence[tuple[str, int, str]],
        *,
        declared: Mapping[str, Sequence[int | str] | None] | None = None,
    ) -> None:
        self.dimensions, self.declared = tuple(dimensions), dict(declared or {})
        listed = ", ".join(_dimension(*dimension) for dimension in dimensions)
        super().__init__(f"Dynamic dimensions are not bound: {listed}. {self._advice()}")

    def _advice(self) -> str:
        names = dict.fromkeys(name for name, _, _ in self.dimensions)
        shapes = {name: self.declared.get(name) for name in names}
        open_axes = {(name, axis) for name, axis, _ in self.dimensions}
        symbols = {
            part: _example_size(axis, len(shape))
            for name, shape in shapes.items()
            if shape
            for axis, part in enumerate(shape)
            if isinstance(part, str) and part and (name, axis) in open_axes
        }
        by_symbol = " ".join(f"--dim {shlex.quote(f'{symbol}={size}')}" for symbol, size in symbols.items())
        by_shape = " ".join(f"--shape {shlex.quote(f'{name}={self._example(name)}')}" for name in list(names)[:3])
        whole = f"the whole shape{'s' if len(names) > 1 else ''}, for example {by_shape}"
        scalars = " (no sizes after the `=` for a scalar)" if None in shapes.values() else ""
        if by_symbol:
            return f'Give sizes of symbols, for example {by_symbol}, or {whole}{scalars} (REST: "dims", "shapes").'
        return f'Give {whole}{scalars} (REST: "shapes").'

    def _example(self, name: str) -> str:
        """Sizes of an input that fit what the model declares of it."""
        rank = 1 + max((axis for other, axis, _ in self.dimensions if other == name), default=0)
        shape = self.declared.get(name) or [""] * rank
        return ",".join(
            str(part if isinstance(part, int) else _example_size(axis, len(shape))) for axis, part in enumerate(shape)
        )


def _dimension(name: str, axis: int, symbol: str) -> str:
    if symbol == UNKNOWN_RANK:
        return f"{name} ({symbol})"
    return f"{name}[{axis}]" + (f" ({symbol})" if symbol else "")


def _example_size(axis: int, rank: int) -> int:
    """A size that such a dimension often has: one image of three channels, or one text of 128 tokens."""
    if axis == 0:
        return 1
    return (3 if axis == 1 else 224) if rank == 4 else 128


_KNOWN = (
    "Export the model with operators that ai.onnx, ai.onnx.ml or com.microsoft have in the versions that it imports."
)
_LAID_OUT = (
    "ONNX Runtime wrote them when it saved a model that it had optimised for one machine: give the model that it read, "
    "or save it with at most ORT_ENABLE_EXTENDED."
)
_ORIGINS = (
    ("com.microsoft.nchwc.", _LAID_OUT),
    ("com.ms.internal.nhwc.", _LAID_OUT),
    ("ai.onnx.contrib.", "They are of onnxruntime-extensions: export the network without what it does before and "
                         "after, such as its tokenizer."),
    ("org.pytorch.aten.", "torch.onnx had no operators of ONNX for them: export with a newer torch and "
                          "torch.onnx.export(…, dynamo=True)."),
)  # fmt: skip
"""How operators begin that some tool writes, and what to do about it."""


class UnsupportedOperatorError(InvalidModelError):
    """Operators of a domain or version that is not supported."""

    def __init__(self, operators: Sequence[str]) -> None:
        self.operators = tuple(sorted(set(operators)))
        hint = next((hint for name in self.operators for start, hint in _ORIGINS if name.startswith(start)), _KNOWN)
        super().__init__(f"Unsupported operators: {', '.join(self.operators)}. {hint}")


class InvalidFeedsError(InputError):
    """Feeds that do not fit the model's inputs."""


class InvalidArchitectureError(InputError):
    """A text that is not an architecture of its search space."""


_MOST_LISTED = 40
"""Names that a message lists; the error has all."""


class UnknownNameError(InputError):
    """A name that is not registered.

    Args:
        what: the family, for example "search space".
        name: the name that was asked for.
        known: the names there are.
    """

    def __init__(self, what: str, name: str, known: Sequence[str]) -> None:
        self.what, self.name, self.known = what, name, tuple(sorted(known))
        close = get_close_matches(name, self.known, n=1)
        hint = f" Did you mean {close[0]!r}?" if close else ""
        more = f" and {len(self.known) - _MOST_LISTED:,} more" if len(self.known) > _MOST_LISTED else ""
        listed = (", ".join(self.known[:_MOST_LISTED]) or "none") + more
        super().__init__(f"Unknown {what} {name!r}.{hint} Known: {listed}.")


class UnsupportedGraphError(InputError):
    """A predictor cannot read this graph."""

    def __init__(self, message: str, *, operators: Sequence[str] = ()) -> None:
        self.operators = tuple(sorted(set(operators)))
        super().__init__(message)


class BackendUnavailableError(LatcastError):
    """A runtime that this machine lacks."""


class NotFittedError(LatcastError):
    """A predictor was used before `fit`."""


class MissingEvidenceError(LatcastError):
    """A predictor needs evidence of the device that was not given."""


class ArtifactError(LatcastError):
    """An artifact that is corrupt, foreign or of a newer format."""
