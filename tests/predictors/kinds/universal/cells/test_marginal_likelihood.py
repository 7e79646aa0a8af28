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
