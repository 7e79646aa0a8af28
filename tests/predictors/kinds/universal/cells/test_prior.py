"""The prior over devices is learned from sources, and new devices are drawn around it."""

from functools import cache

import numpy as np
from numpy.testing import assert_allclose, assert_array_equal

from predictors.base import FloatArray
from predictors.kinds.universal.cells.components import LEARNED, component_names
from predictors.kinds.universal.cells.fbnet_features import FBNET
from predictors.kinds.universal.cells.prior import DevicePrior, MixtureSettings, learn_prior
from profilers.progress import no_progress
from profilers.search_spaces.fbnet import FBNet

SETTINGS = MixtureSettings(members=64, unlike=0.75, scale_spread=1, unlike_spread=0.7, noise=0.02, noise_spread=1)


def rows_of(device: int, count: int = 80) -> tuple[list[str], FloatArray]:
    rng = np.random.default_rng(device)
    texts = [FBNet().sample(rng).text for _ in range(count)]
    costs = np.random.default_rng(99).lognormal(0, 1, 198) * np.random.default_rng(device).lognormal(0, 0.1, 198)
    return texts, np.asarray(FBNET.features(texts) @ costs * 2.0**device)


@cache
def prior(devices: int = 3) -> DevicePrior:
    sources = {f"device{index}": rows_of(index) for index in range(devices)}
    return learn_prior(FBNET, sources, seed=0, progress=no_progress)


def test_sources_keep_their_speeds() -> None:
    scales = prior().scales_ms
    assert_allclose(scales[1:] / scales[:-1], 2.0, rtol=0.2)
    assert prior().profiles.shape == (3, len(prior().centre))


def test_progress_names_each_source() -> None:
    told: list[str] = []
    learn_prior(FBNET, {"only": rows_of(0, 40)}, seed=0, progress=lambda share, what: told.append(what))
    assert told == ["cost profile of only"]


def test_one_source_says_nothing_of_how_devices_differ() -> None:
    assert_array_equal(prior(1).like, prior(1).unlike)


def test_members_lie_around_both_centres_and_are_the_same_each_time() -> None:
    mixture = prior().mixture(SETTINGS)
    learned = len(component_names(FBNET))
    log_scales = np.log(mixture.variances) / 2
    assert (log_scales[:64, learned:] < -6).all()
    assert_allclose(np.median(log_scales[16:64, :learned], axis=0), prior().unlike, atol=0.3)
    assert np.median(np.sqrt(mixture.noise)) == np.median(np.sqrt(prior().mixture(SETTINGS).noise))
    assert 0.01 < np.median(np.sqrt(mixture.noise)) < 0.04


def test_other_members_have_one_rule_each_and_nothing_of_the_sources_but_a_slope() -> None:
    log_scales = np.log(prior().mixture(SETTINGS).variances[64:]) / 2
    names = [*component_names(FBNET), *FBNET.rule_factors]
    assert len(log_scales) % len(FBNET.rules) == 0
    of_rules = [names.index(name) for name in FBNET.rule_factors]
    wide = {tuple(np.array(names)[of_rules][row > -6].tolist()) for row in log_scales[:, of_rules]}
    assert wide == set(FBNET.rules)
    assert (log_scales[:, names.index("sources")] < -6).all()


def test_without_sources_only_the_spaces_own_components_are_left() -> None:
    bare = prior().without_sources()
    silent = len(LEARNED) + len(FBNET.masks)
    assert not bare.mean.any()
    assert (np.exp(bare.like[:silent]) < 0.002).all()
    assert_array_equal(bare.unlike[silent:], prior().unlike[silent:])


def test_covariances_of_new_devices_are_symmetric_and_grow_with_what_is_unlike() -> None:
    covariances = [prior().covariance(unlike) for unlike in (0.0, 1.0)]
    for covariance in covariances:
        assert_allclose(covariance, covariance.T)
        assert np.linalg.eigvalsh(covariance).min() > -1e-9
    assert np.trace(covariances[1]) > np.trace(covariances[0])
