"""Prior components: covariances of a device's cost profile, each scaled to unit effect on latency."""

import math

import numpy as np

from predictors.base import FloatArray
from predictors.kinds.universal.cells.feature_space import FeatureSpace

__all__ = ["LEARNED", "component_names", "effect", "fixed_components", "learned_components", "rule_components"]

LEARNED = ("sources", "slope")
"""Components that only the sources' profiles give: their covariance, and a free slope on their mean."""

_TINY = 1e-9


def component_names(space: FeatureSpace) -> tuple[str, ...]:
    """All components whose scales are learned, in the order in which these are kept; those of rules follow them."""
    return (*LEARNED, *space.masks, *space.factors)


def fixed_components(space: FeatureSpace, gram: FloatArray) -> FloatArray:
    """Components that follow from the space alone, float64 (factors, p, p).

    Every column of a factor is scaled to unit effect, so no unit of measurement is preferred.

    Args:
        space: has the factors.
        gram: float64 (p, p), mean outer product of centred features over architectures.
    """
    return np.array([_component(factor, gram) for factor in space.factors.values()])


def rule_components(space: FeatureSpace, gram: FloatArray) -> FloatArray:
    """Components that only the rules of a space use, float64 (r, p, p)."""
    return np.array([_component(factor, gram) for factor in space.rule_factors.values()]).reshape(-1, *gram.shape)


def learned_components(space: FeatureSpace, profiles: FloatArray, gram: FloatArray) -> FloatArray:
    """Components that follow from the sources' profiles (S, p): float64 (2 + masks, p, p).

    A mask lets the mean profile be scaled by operator or by stage instead of as a whole: m mᵀ, entry by entry
    multiplied with it, so that large costs may change more.
    """
    mean = profiles.mean(axis=0)
    spread, outer = profiles - mean, np.outer(mean, mean)
    covariances = [spread.T @ spread + _TINY * np.eye(len(mean)), outer]
    covariances += [mask * outer for mask in space.masks.values()]
    return np.array([_unit(covariance, gram) for covariance in covariances])


def effect(profile: FloatArray, gram: FloatArray) -> float:
    """Standard deviation of x·w over architectures."""
    return max(math.sqrt(max(float(profile @ gram @ profile), 0.0)), _TINY)


def _component(factor: FloatArray, gram: FloatArray) -> FloatArray:
    sizes = np.sqrt(np.maximum(np.einsum("if,ij,jf->f", factor, gram, factor, optimize=True), 0.0))
    scaled = factor[:, sizes > _TINY] / sizes[sizes > _TINY]
    return _unit(scaled @ scaled.T, gram)


def _unit(covariance: FloatArray, gram: FloatArray) -> FloatArray:
    """Scaled so that the mean variance of x·w over architectures is one."""
    return covariance / max(float(np.vdot(covariance, gram)), 1e-12)
