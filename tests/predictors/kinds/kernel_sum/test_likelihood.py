"""Labels scatter around what multipliers say of them, and the rows of that are linear around any multipliers."""

import numpy as np
import pytest
from numpy.testing import assert_allclose

from predictors.features.kernels import CLASSES
from predictors.kinds.kernel_sum.likelihood import Likelihood
from predictors.kinds.kernel_sum.sums import Kernels, Labels

CONV, GEMM = CLASSES.index("conv"), CLASSES.index("gemm")
WIDTH = 1 + len(CLASSES) + 2 + len(CLASSES)


def kernels_and_labels(seed: int = 0, graphs: int = 5) -> tuple[Kernels, Labels]:
    """Graphs of a convolution and a product each; kernels of all but the first graph are timed."""
    rng = np.random.default_rng(seed)
    kernels = Kernels(
        log_time=rng.normal(0, 1, 2 * graphs),
        kinds=np.tile([CONV, GEMM], graphs),
        tilt=rng.uniform(-1, 1, (2 * graphs, 2)),
        rows=np.repeat(np.arange(graphs), 2),
        count=graphs,
        unknown_variance=np.zeros(2 * graphs),
    )
    times = kernels.times(np.zeros(WIDTH))
    timed = np.where(kernels.rows > 0, 1.2 * times, np.nan)
    return kernels, Labels(latency=1.5 * kernels.totals(times), kernel_time=timed)


def test_gradients_are_those_of_log_latency() -> None:
    kernels, _ = kernels_and_labels()
    u, step = np.random.default_rng(1).normal(0, 0.3, WIDTH), 1e-6
    log_total, gradient, _ = Likelihood().linearised(kernels, u)
    for place in (0, 1 + CONV, 1 + GEMM, 1 + len(CLASSES), WIDTH - len(CLASSES) + CONV):
        moved = u.copy()
        moved[place] += step
        slope = (Likelihood().linearised(kernels, moved)[0] - log_total) / step
        assert_allclose(gradient[:, place], slope, atol=1e-5)


def test_latencies_do_not_see_the_profiler_and_timings_do() -> None:
    kernels, labels = kernels_and_labels()
    rows = Likelihood().rows(kernels, labels, np.zeros(WIDTH))
    assert len(rows.residual) == 5 + 2 * 4, "one for each graph, and one for each class of the four that are timed"
    assert_allclose(rows.residual, [*[np.log(1.5)] * 5, *[np.log(1.2)] * 8])
    assert not rows.design[:5, -len(CLASSES) :].any()
    assert (rows.design[5:, -len(CLASSES) :].sum(axis=1) == 1).all()
    assert Likelihood().groups(kernels, labels, np.zeros(WIDTH)).tolist() == [
        0,
        1,
        2,
        3,
        4,
        *np.repeat([1, 2, 3, 4], 2),
    ]


def test_without_timings_there_is_a_row_for_each_graph() -> None:
    kernels, labels = kernels_and_labels()
    rows = Likelihood().rows(kernels, labels, np.zeros(WIDTH), timed=False)
    assert rows.design.shape == (5, WIDTH)
    assert Likelihood().groups(kernels, labels, np.zeros(WIDTH), timed=False).tolist() == [0, 1, 2, 3, 4]


def test_kernels_that_training_knows_little_of_widen_a_graph() -> None:
    kernels, _ = kernels_and_labels(graphs=1)
    strange = Kernels(**{**{name: getattr(kernels, name) for name in ("log_time", "kinds", "tilt", "rows", "count")},
                         "unknown_variance": np.array([0.5, 0.0])})  # fmt: skip
    _, gradient, variance = Likelihood().linearised(kernels, np.zeros(WIDTH))
    share = gradient[0, 1 + CONV]
    assert Likelihood().linearised(strange, np.zeros(WIDTH))[2] - variance == pytest.approx(0.5 * share**2)


def test_spreads_are_those_of_the_residuals() -> None:
    rng = np.random.default_rng(3)
    kernels, labels = kernels_and_labels(graphs=400)
    noisy = Labels(
        latency=labels.latency * np.exp(0.3 * rng.standard_normal(400)),
        kernel_time=labels.kernel_time * np.exp(np.where(kernels.kinds == CONV, 0.5, 0.05) * rng.standard_normal(800)),
    )
    refined = Likelihood().refined([(kernels, noisy, np.zeros(WIDTH))])
    assert refined.class_std[CONV] == pytest.approx(0.5, rel=0.15)
    assert refined.class_std[GEMM] < 0.1
    assert refined.class_std[CLASSES.index("rnn")] == Likelihood().class_std[0], "nothing was seen of it"
    assert 0.05 < refined.graph_std < 0.3


def test_scores_are_residuals_in_standard_deviations() -> None:
    kernels, labels = kernels_and_labels()
    _, _, variance = Likelihood().linearised(kernels, np.zeros(WIDTH))
    assert_allclose(Likelihood().scores(kernels, labels, np.zeros(WIDTH)), np.log(1.5) / np.sqrt(variance))


def test_graphs_of_one_family_say_less_than_so_many_others() -> None:
    kernels, labels = kernels_and_labels()
    apart = Likelihood().rows(kernels, labels, np.zeros(WIDTH), families=np.arange(5))
    alike = Likelihood().rows(kernels, labels, np.zeros(WIDTH), families=np.array([0, 1, 2, 2, 2]))
    plain = Likelihood().rows(kernels, labels, np.zeros(WIDTH))
    assert_allclose(apart.weights(), plain.weights())
    share = alike.weights() / plain.weights()
    assert_allclose(share[:5], [1, 1, 0.5, 0.5, 0.5])
    assert_allclose(share[5:], [1, 1, *[0.5] * 6])  # classes of the second graph, and of those of the family
