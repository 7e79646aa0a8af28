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

from collections.abc import Sequence
from difflib import get_close_matches

__all__ = [
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


class LatcastError(Exception):
    """Root of the tree; `str(error)` is fit to be shown to a person."""


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
        dimensions: (input name, axis position, symbol or "") of each unbound dimension.
    """

    def __init__(self, dimensions: Sequence[tuple[str, int, str]]) -> None:
        self.dimensions = tuple(dimensions)
        listed = ", ".join(f"{name}[{axis}]" + (f" ({symbol})" if symbol else "") for name, axis, symbol in dimensions)
        example = self.dimensions[0][0] if self.dimensions else "x"
        super().__init__(f"Dynamic dimensions are not bound: {listed}. Give the whole shape of each such input, "
                         f"for example --shape {example}=1,3,224,224 (REST: \"shapes\").")  # fmt: skip


class UnsupportedOperatorError(InvalidModelError):
    """Operators of a domain or version that is not supported."""

    def __init__(self, operators: Sequence[str]) -> None:
        self.operators = tuple(sorted(set(operators)))
        super().__init__(f"Unsupported operators: {', '.join(self.operators)}. Known domains are ai.onnx, ai.onnx.ml "
                         "and com.microsoft; export the model with those.")  # fmt: skip


class InvalidFeedsError(InputError):
    """Feeds that do not fit the model's inputs."""


class InvalidArchitectureError(InputError):
    """A text that is not an architecture of its search space."""


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
        listed = ", ".join(self.known) or "none"
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
