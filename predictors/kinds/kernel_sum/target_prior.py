"""Which targets of training a new one is like, by what is known of it without measuring: how it executes graphs.

Factors are kriged (Rasmussen and Williams, Gaussian Processes, section 2.2): what targets share of runtime, precision,
level and threads is their covariance. A runtime that training has not seen still says something by its precision.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Self

import numpy as np

from latcast.schema import ArtifactError, Target, TargetId
from predictors.artifact import Artifact
from predictors.base import FloatArray
from predictors.features.kernels import ExecutionTraits

__all__ = ["TargetPrior", "similarity"]

_BACKEND, _PRECISION, _SEVERAL, _LEVEL, _SEVERAL_ON_BACKEND = 0.45, 0.2, 0.15, 0.1, 0.1
"""Shares of a factor's variance between targets that go with each; together one."""
_RESIDUAL = 0.1
"""Variance that no other target shares."""
_SINGLE, _MANY = "one thread", "several threads"
_FIELDS = 4


def similarity(left: ExecutionTraits, right: ExecutionTraits) -> float:
    """Share of the variance between targets that two of them have in common, 0–1; 1 for equal traits."""
    same = left.backend == right.backend
    several = left.several_threads == right.several_threads
    shares = (
        same * _BACKEND,
        (left.precision == right.precision) * _PRECISION,
        several * _SEVERAL,
        (same and left.optimisation == right.optimisation) * _LEVEL,
        (same and several) * _SEVERAL_ON_BACKEND,
    )
    return sum(shares)


@dataclass(frozen=True, slots=True, kw_only=True)
class TargetPrior:
    """What the traits of t targets of training make likely for others.

    Args:
        names: t ids, sorted.
        traits: t of them.
    """

    names: tuple[TargetId, ...]
    traits: tuple[ExecutionTraits, ...]

    @classmethod
    def of(cls, targets: Sequence[Target]) -> Self:
        """The prior that these targets give, however often each is among them."""
        traits = {target.id: ExecutionTraits.of(target) for target in {id(one): one for one in targets}.values()}
        return cls(names=tuple(sorted(traits)), traits=tuple(traits[name] for name in sorted(traits)))

    def expected(self, target: Target, means: Mapping[TargetId, FloatArray]) -> FloatArray:
        """The factors that a target is expected to have, float64 (d,).

        Args:
            target: any.
            means: float64 (d,) each, factors of the targets of training.
        """
        traits = ExecutionTraits.of(target)
        among = np.array([[similarity(one, other) for other in self.traits] for one in self.traits])
        shared = np.array([similarity(traits, other) for other in self.traits])
        weights = np.linalg.solve(among + _RESIDUAL * np.eye(len(among)), shared)
        factors = np.array([means[name] for name in self.names])
        centre = factors.mean(axis=0)
        return np.asarray(centre + weights @ (factors - centre), dtype=np.float64)

    def knows(self, target: Target) -> bool:
        """Whether a target of training executes graphs as this one does, on whatever machine."""
        return ExecutionTraits.of(target) in self.traits

    def to_vocabulary(self) -> list[list[str]]:
        """The traits in the order of `names`, for an artifact's vocabulary."""
        return [
            [one.backend, one.precision, one.optimisation, _MANY if one.several_threads else _SINGLE]
            for one in self.traits
        ]

    @classmethod
    def from_artifact(cls, artifact: Artifact, names: Sequence[TargetId]) -> Self:
        """The prior whose `to_vocabulary` is the artifact's entry `manners`.

        Raises:
            ArtifactError: the entry is missing, or is not of these targets.
        """
        entry = artifact.vocabulary_entry("manners")
        whole = isinstance(entry, list) and all(isinstance(one, list) and len(one) == _FIELDS for one in entry)
        if not whole or len(entry) != len(names):
            raise ArtifactError("The artifact does not say how its targets run graphs: it is corrupt.")
        traits = [ExecutionTraits(str(one[0]), str(one[1]), str(one[2]), one[3] == _MANY) for one in entry]
        return cls(names=tuple(names), traits=tuple(traits))
