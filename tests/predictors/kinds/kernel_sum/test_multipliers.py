"""Multipliers of a target are found from a few graphs, with or without kernel timings."""

import numpy as np
import pytest
from numpy.testing import assert_allclose
from predictors.features.kernels import CLASSES
from predictors.kinds.kernel_sum.likelihood import Likelihood
from predictors.kinds.kernel_sum.multipliers import Multipliers
from predictors.kinds.kernel_sum.sums import Kernels, Labels


def kernels_of_two_classes(rng: np.random.Generator, graphs: int) -> Kernels:
    kinds = np.array([CLASSES.index("conv"), CLASSES.index("gemm")])
    return Kernels(
        log_time=rng.normal(0, 1, 2 * graphs),
        kinds=np.tile(kinds, graphs),
        tilt=np.zeros((2 * graphs, 2)),
        rows=np.repeat(np.arange(graphs), 2),
        count=graphs,
        unknown_variance=np.zeros(2 * graphs),
    )


@pytest.mark.parametrize("timed", [True, False])
def test_multipliers_of_classes_are_found(timed: bool) -> None:
    """A machine three times slower, with convolutions another 1.6 times."""
    kernels = kernels_of_two_classes(np.random.default_rng(1), 12)
    factor = np.where(kernels.kinds == CLASSES.index("conv"), 4.8, 3.0)
    times = np.exp(kernels.log_time) * factor
    labels = Labels(latency=kernels.totals(times), kernel_time=times if timed else np.full(24, np.nan))
    state = (
        Multipliers(effects=Multipliers.guessed(tilts=2).effects, likelihood=Likelihood(graph_std=0.02))
        .adapted(kernels, labels, "new")
        .effects.of("new")
    )
    assert_allclose(kernels.times(state.mean), times, rtol=0.2 if timed else 0.3)
    assert state.mean[0] == pytest.approx(np.log(3.5), abs=0.5)


def test_one_far_out_graph_moves_little() -> None:
    kernels = kernels_of_two_classes(np.random.default_rng(2), 12)
    latency = kernels.totals(kernels.times(Multipliers.guessed(tilts=2).effects.mean))
    latency[0] *= 20
    labels = Labels(latency=latency, kernel_time=np.full(24, np.nan))
    state = Multipliers.guessed(tilts=2).adapted(kernels, labels, "new").effects.of("new")
    rest = kernels.pick(np.arange(1, 12))
    assert_allclose(np.log(rest.totals(rest.times(state.mean)) / latency[1:]), 0.0, atol=0.15)
