"""Components of a profile's covariance."""

from functools import cache
import numpy as np
from numpy.testing import assert_allclose
from predictors.kinds.universal.cells.components import (
    LEARNED,
    component_names,
    effect,
    fixed_components,
    learned_components,
    rule_components,
)
from predictors.kinds.universal.cells.fbnet_features import FBNET
from predictors.kinds.universal.cells.prior import DevicePrior, learn_prior
from profilers.search_spaces.fbnet import FBNet


def _texts(count: int, seed: int) -> list[str]:
    rng = np.random.default_rng(seed)
    return [FBNet().sample(rng).text for _ in range(count)]


def _latency(texts: list[str], device: int) -> "np.ndarray[tuple[int], np.dtype[np.float64]]":
    rng = np.random.default_rng(device)
    costs = np.random.default_rng(99).lognormal(0, 1, 198) * rng.lognormal(0, 0.1, 198)
    return FBNET.features(texts) @ costs * 1.01 ** rng.standard_normal(len(texts))


@cache
def prior() -> DevicePrior:
    sources = {f"device{i}": (_texts(120, i), _latency(_texts(120, i), i)) for i in range(4)}
    return learn_prior(FBNET, sources, seed=0, progress=lambda done, what: None)


def test_components_have_unit_effect() -> None:
    known = prior()
    assert len(component_names(FBNET)) == len(known.like)
    assert len(known.components) == len(known.like) + len(FBNET.rule_factors)
    assert_allclose([np.vdot(component, known.gram) for component in known.components], 1, rtol=1e-6)


def test_components_have_names_in_their_order() -> None:
    space, gram = FBNET, prior().gram
    learned, fixed = learned_components(space, prior().profiles, gram), fixed_components(space, gram)
    assert len(component_names(space)) == len(learned) + len(fixed)
    assert prior().components[len(component_names(space)) :].tolist() == rule_components(space, gram).tolist()
    assert component_names(space)[: len(learned)] == (*LEARNED, *space.masks)


def test_effects_are_standard_deviations_over_architectures() -> None:
    gram = np.diag([4.0, 1.0])
    assert effect(np.array([1.0, 0.0]), gram) == 2.0
    assert effect(np.zeros(2), gram) > 0, "logarithms are taken of it"
