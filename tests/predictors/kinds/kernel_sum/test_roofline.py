"""The smooth part learns costs by class and extrapolates."""

import numpy as np
from numpy.testing import assert_allclose
from predictors.features.kernels import CLASSES
from predictors.kinds.kernel_sum.roofline import WORK_TERMS, Roofline


def test_the_roofline_extrapolates_in_proportion_to_work() -> None:
    rng = np.random.default_rng(0)
    work = np.zeros((200, len(WORK_TERMS)))
    work[:, 0], work[:, 1] = 1.0, 10 ** rng.uniform(3, 7, 200)
    kinds = np.full(200, CLASSES.index("gemm"))
    time = 1e-3 + work[:, 1] * 2e-8
    roofline = Roofline.fit(work, kinds, np.log(time), np.ones(200))
    far = np.array([[1.0, 1e10, *[0.0] * (len(WORK_TERMS) - 2)]])
    assert_allclose(np.exp(roofline.log_time(far, kinds[:1])), 200.0, rtol=0.05)
