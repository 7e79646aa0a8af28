"""Tilts are bounded numbers for each kernel, and stand for what targets weigh differently."""

import numpy as np
from numpy.testing import assert_allclose

from predictors.features.kernels import CLASSES
from predictors.kinds.kernel_sum.shared_roofline import SharedRoofline
from predictors.kinds.universal.graphs.tilts import kernel_tilts
from predictors.testing import DEVICES, measure, random_graph

SIZE = 3
"""Column of the size's tilt, behind the shares of traffic, parameters and launch."""


def tilts_of() -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    rng = np.random.default_rng(0)
    _, training = SharedRoofline.fit(measure([random_graph(rng) for _ in range(8)], DEVICES[:1], rng))
    batch = training.batch
    typical = float(np.median(batch.costs.log_time))
    return kernel_tilts(batch.table, batch.costs, typical), batch.table.kinds, batch.costs.log_time - typical


def test_tilts_are_finite_and_within_one() -> None:
    tilts, kinds, _ = tilts_of()
    assert len(tilts) == len(kinds)
    assert np.isfinite(tilts).all()
    assert np.abs(tilts).max() <= 1 + 1e-9


def test_the_size_is_signed_around_a_typical_kernel() -> None:
    tilts, _, larger = tilts_of()
    assert_allclose(np.sign(tilts[:, SIZE]), np.sign(larger))
    assert (np.diff(tilts[np.argsort(larger), SIZE]) >= 0).all()


def test_groups_of_classes_have_a_size_of_their_own() -> None:
    tilts, kinds, _ = tilts_of()
    convolutions = np.isin(kinds, [CLASSES.index(name) for name in ("conv", "conv_pointwise", "conv_direct")])
    assert_allclose(tilts[convolutions, SIZE + 1], tilts[convolutions, SIZE])
    assert not tilts[kinds == CLASSES.index("call"), SIZE + 1 : SIZE + 7].any()
