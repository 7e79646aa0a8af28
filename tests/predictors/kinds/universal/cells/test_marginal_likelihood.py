"""The evidence of scales, and its gradient."""

import numpy as np
from scipy.optimize import check_grad
from predictors.kinds.universal.cells import marginal_likelihood


def test_the_gradient_of_the_evidence() -> None:
    rng = np.random.default_rng(1)
    factors = rng.standard_normal((2, 12, 3))
    kernels, residuals = np.einsum("cif,cjf->cij", factors, factors), rng.standard_normal(12)

    def value(scales: "np.ndarray[tuple[int], np.dtype[np.float64]]") -> float:
        return marginal_likelihood._negative_evidence(scales, kernels, residuals)[0]

    def slope(scales: "np.ndarray[tuple[int], np.dtype[np.float64]]") -> "np.ndarray[tuple[int], np.dtype[np.float64]]":
        return marginal_likelihood._negative_evidence(scales, kernels, residuals)[1]

    assert check_grad(value, slope, np.log([0.5, 0.2, 0.3])) < 1e-4


def test_scales_of_the_data_are_found() -> None:
    rng = np.random.default_rng(2)
    factor = rng.standard_normal((200, 5))
    residuals = factor @ (0.5 * rng.standard_normal(5)) + 0.05 * rng.standard_normal(200)
    found = np.exp(marginal_likelihood.best_scales((factor @ factor.T)[None], residuals, np.log([0.1, 0.1]), 60))
    assert 0.2 < found[0] < 1.2
    assert 0.04 < found[1] < 0.06


def test_tasks_share_their_scales_and_keep_their_noise() -> None:
    rng = np.random.default_rng(3)
    tasks = []
    for noise in (0.02, 0.2):
        factor = rng.standard_normal((80, 4))
        residuals = factor @ (0.1 * rng.standard_normal(4)) + noise * rng.standard_normal(80)
        tasks.append(((factor @ factor.T)[None], residuals, float(np.log(noise))))
    found = marginal_likelihood.joint_best_scales(tasks, np.log([0.01]), 60)
    assert found.shape == (1,)
    assert 0.03 < np.exp(found[0]) < 0.3
