"""What microbenchmarks of a target say of its factors, before any network was measured there."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Self

import numpy as np

from latcast.schema import ArtifactError, DeviceEvidence, TargetId
from predictors.artifact import Artifact
from predictors.base import FloatArray

__all__ = ["TargetDescriptors"]

_FEWEST_TARGETS = 4
_RIDGE = 0.3
"""Variance of what a descriptor does not say, in units of how much descriptors differ."""
_ARRAYS = {"centre": 1, "spread": 1, "vectors": 2, "means": 2}


@dataclass(frozen=True, slots=True, kw_only=True)
class TargetDescriptors:
    """Ridge regression from the logarithms of microbenchmarks to a target's factors, over t targets of training.

    There are more microbenchmarks than targets, so it works with inner products of targets (Rasmussen and Williams,
    Gaussian Processes, section 2.1.2, linear kernel).

    Args:
        names: of the e microbenchmarks, those that all targets have.
        centre: float64 (e,), mean of their logarithms.
        spread: float64 (e,), and their standard deviation.
        vectors: float64 (t, e), standardised.
        means: float64 (t, d), the targets' factors.
    """

    names: tuple[str, ...]
    centre: FloatArray
    spread: FloatArray
    vectors: FloatArray
    means: FloatArray

    @classmethod
    def fit(cls, evidence: Mapping[TargetId, DeviceEvidence], means: Mapping[TargetId, FloatArray]) -> Self | None:
        """Descriptors of the targets of which both are known; None where these are too few to learn from."""
        microbench = {name: evidence[name].microbench or {} for name in sorted(means) if name in evidence}
        microbench = {name: values for name, values in microbench.items() if values}
        if len(microbench) < _FEWEST_TARGETS:
            return None
        names = tuple(sorted(set.intersection(*(_usable(values) for values in microbench.values()))))
        if not names:
            return None
        raw = np.log([[values[name] for name in names] for values in microbench.values()])
        spread = np.where(raw.std(axis=0) > 0, raw.std(axis=0), 1.0)
        centre = raw.mean(axis=0)
        return cls(
            names=names,
            centre=centre,
            spread=spread,
            vectors=(raw - centre) / spread,
            means=np.array([means[name] for name in microbench]),
        )

    def expected(self, evidence: DeviceEvidence | None) -> FloatArray | None:
        """The factors that a target is expected to have, float64 (d,); None where its microbenchmarks are not known."""
        values = (evidence and evidence.microbench) or {}
        if not set(self.names) <= _usable(values):
            return None
        vector = (np.log([values[name] for name in self.names]) - self.centre) / self.spread
        among = self.vectors @ self.vectors.T / len(self.names)
        weights = np.linalg.solve(among + _RIDGE * np.eye(len(among)), self.vectors @ vector / len(self.names))
        mean = self.means.mean(axis=0)
        return np.asarray(mean + weights @ (self.means - mean), dtype=np.float64)

    def to_arrays(self) -> dict[str, np.ndarray[Any, Any]]:
        """Arrays for an artifact; `names` are part of its vocabulary."""
        return {f"descriptors.{name}": getattr(self, name) for name in _ARRAYS}

    @classmethod
    def from_artifact(cls, artifact: Artifact, names: tuple[str, ...]) -> Self:
        """The descriptors whose `to_arrays` went into the artifact.

        Raises:
            ArtifactError: arrays are missing or do not fit each other.
        """
        descriptors = cls(
            names=names, **{name: artifact.array(f"descriptors.{name}", ndim=ndim) for name, ndim in _ARRAYS.items()}
        )
        if descriptors.vectors.shape != (len(descriptors.means), len(names)):
            raise ArtifactError("The artifact's descriptors do not fit each other: it is corrupt.")
        return descriptors


def _usable(values: Mapping[str, float]) -> set[str]:
    return {name for name, value in values.items() if np.isfinite(value) and value > 0}
