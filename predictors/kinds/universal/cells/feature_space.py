"""What the predictor knows of a search space."""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field, replace

import numpy as np
from numpy.typing import NDArray

from predictors.base import FloatArray

__all__ = ["FeatureSpace", "one_hot"]


@dataclass(frozen=True, slots=True, kw_only=True)
class FeatureSpace:
    """A search space as features in which latency is a sum.

    Args:
        name: of the search space.
        features: texts (n) → float64 (n, p), not centred and read-only; a device's cost profile has one cost for each
            column. Of the texts that came last they are kept: forecast and coverage ask for the same.
        measurable: texts (n) → bool (n,), False for degenerate architectures.
        places: the columns that say which operator stands where, one-hot.
        factors: name → float64 (p, r): a prior component each, costs that follow from r independent quantities.
        masks: name → float64 (p, p): a prior component each, how far columns share their deviation from the sources'
            mean profile.
        rule_factors: name → float64 (p, r): prior components that only `rules` use.
        rules: which factors say together what one kind of runtime executes; one of the rules holds for a device that
            is unlike all sources.
        details: names of factors for what a rule leaves to be said.
        version: of the columns.
        former: earlier version → its number of columns, which are the first ones.
    """

    name: str
    features: Callable[[Sequence[str]], FloatArray]
    measurable: Callable[[Sequence[str]], NDArray[np.bool_]]
    places: slice
    factors: Mapping[str, FloatArray]
    masks: Mapping[str, FloatArray] = field(default_factory=dict)
    rule_factors: Mapping[str, FloatArray] = field(default_factory=dict)
    rules: tuple[tuple[str, ...], ...] = ()
    details: tuple[str, ...] = ()
    version: str = "universal-1"
    former: Mapping[str, int] = field(default_factory=dict)

    def __post_init__(self) -> None:
        object.__setattr__(self, "features", _KeepingLast(self.features))

    def as_of(self, version: str) -> "FeatureSpace":
        """The space with the columns of a version; itself where that is no former one."""
        if version not in self.former:
            return self
        columns, features = self.former[version], self.features
        return replace(
            self,
            features=lambda texts: features(texts)[:, :columns],
            factors={name: factor[:columns] for name, factor in self.factors.items()},
            rule_factors={},
            rules=tuple(rule for rule in self.rules if set(rule) <= self.factors.keys()),
            version=version,
            former={},
        )


class _KeepingLast:
    """A function of texts that keeps its last result. Thread-safe."""

    def __init__(self, function: Callable[[Sequence[str]], FloatArray]) -> None:
        self._function = function
        self._last: tuple[list[str], FloatArray] | None = None

    def __call__(self, texts: Sequence[str]) -> FloatArray:
        last, asked = self._last, list(texts)
        if last is not None and last[0] == asked:
            return last[1]
        result = self._function(asked)
        result.setflags(write=False)
        self._last = asked, result
        return result


def one_hot(codes: NDArray[np.integer], size: int) -> FloatArray:
    """Codes (n, places) as float64 (n, places · size)."""
    hot = codes[:, :, None] == np.arange(size)
    return np.asarray(hot.reshape(len(codes), codes.shape[1] * size), dtype=np.float64)
