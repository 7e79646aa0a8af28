"""Which targets of training a new one is like, by what is known of it without measuring: how it runs graphs.

Factors are kriged (Rasmussen and Williams, Gaussian Processes, section 2.2): what targets share of runtime, precision,
level and threads is their covariance. A runtime that training has not seen still says something by its precision.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import NamedTuple, Self

import numpy as np

from latcast.schema import ArtifactError, Target, TargetId
from predictors.artifact import Artifact
from predictors.base import FloatArray

__all__ = ["Manner", "TargetPrior"]

_BACKEND, _PRECISION, _SEVERAL, _LEVEL, _SEVERAL_ON_BACKEND = 0.45, 0.2, 0.15, 0.1, 0.1
"""Shares of a factor's variance between targets that go with each; together one."""
_OWN = 0.1
"""Variance that a target has for itself."""
_SINGLE, _MANY = "one thread", "several threads"


class Manner(NamedTuple):
    """How a target runs graphs.

    Args:
        backend: name of the runtime.
        precision: of its arithmetic.
        level: of the runtime's optimisations.
        several: on more than one thread.
    """

    backend: str
    precision: str
    level: str
    several: bool

    @classmethod
    def of(cls, target: Target) -> Self:
        """The target's; a model that is run as it is given is run in its own arithmetic, like one in fp32."""
        precision = "fp32" if target.precision == "as_given" else target.precision
        return cls(target.backend, precision, target.options.get("optimisation", "all"), target.threads > 1)

    def likeness(self, other: "Manner") -> float:
        """Between 0 and 1; 1 where both are the same."""
        same = self.backend == other.backend
        shares = (
            same * _BACKEND,
            (self.precision == other.precision) * _PRECISION,
            (self.several == other.several) * _SEVERAL,
            (same and self.level == other.level) * _LEVEL,
            (same and self.several == other.several) * _SEVERAL_ON_BACKEND,
        )
        return sum(shares)


@dataclass(frozen=True, slots=True, kw_only=True)
class TargetPrior:
    """The manners of t targets of training.

    Args:
        names: t ids, sorted.
        manners: t of them.
    """

    names: tuple[TargetId, ...]
    manners: tuple[Manner, ...]

    @classmethod
    def of(cls, targets: Sequence[Target]) -> Self:
        """Of these targets, however often each is among them."""
        found = {target.id: Manner.of(target) for target in {id(one): one for one in targets}.values()}
        return cls(names=tuple(sorted(found)), manners=tuple(found[name] for name in sorted(found)))

    def expected(self, target: Target, means: Mapping[TargetId, FloatArray]) -> FloatArray:
        """The factors that a target is expected to have, float64 (d,), given those of training's targets."""
        own = Manner.of(target)
        among = np.array([[one.likeness(other) for other in self.manners] for one in self.manners])
        likeness = np.array([own.likeness(other) for other in self.manners])
        weights = np.linalg.solve(among + _OWN * np.eye(len(among)), likeness)
        known = np.array([means[name] for name in self.names])
        centre = known.mean(axis=0)
        return np.asarray(centre + weights @ (known - centre), dtype=np.float64)

    def to_words(self) -> list[list[str]]:
        """For an artifact's vocabulary: the manners, in the order of `names`."""
        return [[one.backend, one.precision, one.level, _MANY if one.several else _SINGLE] for one in self.manners]

    @classmethod
    def from_artifact(cls, artifact: Artifact, names: Sequence[TargetId]) -> Self:
        """What `to_words` told.

        Raises:
            ArtifactError: it is missing, or is not of these targets.
        """
        words = artifact.words("manners")
        whole = isinstance(words, list) and all(
            isinstance(one, list) and len(one) == len(Manner._fields) for one in words
        )
        if not whole or len(words) != len(names):
            raise ArtifactError("The artifact does not say how its targets run graphs: it is corrupt.")
        manners = [Manner(str(one[0]), str(one[1]), str(one[2]), one[3] == _MANY) for one in words]
        return cls(names=tuple(names), manners=tuple(manners))
