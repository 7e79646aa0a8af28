"""Sums over kernels are by graph and by class, at any multipliers."""

import numpy as np
from numpy.testing import assert_allclose
from predictors.features.kernels import CLASSES
from predictors.kinds.kernel_sum.sums import Kernels, factors


def test_sums_are_by_graph_and_graphs_without_kernels_have_none() -> None:
    kinds = np.array([CLASSES.index("conv"), CLASSES.index("gemm"), CLASSES.index("conv")])
    kernels = Kernels(
        log_time=np.zeros(3),
        kinds=kinds,
        tilt=np.zeros((3, 1)),
        rows=np.array([1, 1, 3]),
        count=5,
        unknown_variance=np.zeros(3),
    )
    values = np.array([[1.0, 10.0], [2.0, 20.0], [4.0, 40.0]])
    assert_allclose(kernels.sums(values), [[0, 0], [3, 30], [0, 0], [4, 40], [0, 0]])
    by_class = kernels.by_class(values[:, 0])
    assert by_class.shape == (5, len(CLASSES))
    assert_allclose(by_class[[1, 1, 3], kinds], [1, 2, 4])
    assert by_class.sum() == 7
    assert kernels.pick([0, 1, 2, 3, 4]) is kernels
    assert kernels.pick([3]).rows.tolist() == [0]


def small(unknown: float = 0.0) -> Kernels:
    return Kernels(
        log_time=np.log([1.0, 2.0, 4.0]),
        kinds=np.array([CLASSES.index("conv"), CLASSES.index("gemm"), CLASSES.index("conv")]),
        tilt=np.array([[1.0], [0.0], [-1.0]]),
        rows=np.array([0, 0, 1]),
        count=2,
        unknown_variance=np.full(3, unknown),
    )


def test_times_follow_machine_classes_and_tilts_but_not_the_profiler() -> None:
    u = np.zeros(1 + len(CLASSES) + 1 + len(CLASSES))
    parts = factors(u)
    assert [len(part) for part in parts] == [1, len(CLASSES), 1, len(CLASSES)]
    u[0], u[1 + CLASSES.index("conv")], u[1 + len(CLASSES)] = np.log([3.0, 2.0, 5.0])
    u[-len(CLASSES) :] = 9.0
    assert_allclose(small().times(u), [1 * 3 * 2 * 5, 2 * 3, 4 * 3 * 2 / 5])
    assert_allclose(small().totals(small().times(u)), [36, 4.8])


def test_cells_are_sums_by_graph_and_class_of_what_is_masked() -> None:
    kernels, conv = small(), CLASSES.index("conv")
    cell, total, tilt = kernels.cells(np.array([1.0, 2.0, 4.0]), np.array([True, False, True]))
    assert cell.tolist() == [conv, CLASSES.index("gemm"), len(CLASSES) + conv]
    assert_allclose(total[[conv, len(CLASSES) + conv]], [1, 4])
    assert total.sum() == 5
    assert_allclose(tilt[[conv, len(CLASSES) + conv], 0], [1, -1])
