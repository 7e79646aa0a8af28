"""Leave-one-out errors of an adaptation, from the support alone: each network is left out in turn.

An adapted predictor fits the rows of its support, so its errors on them underestimate those on other networks. Each
network is therefore left out, the predictor is adapted to the others, and the network is forecast (Stone,
Cross-validatory choice and assessment of statistical predictions, Journal of the Royal Statistical Society B 36, 1974).
"""

import numpy as np

from latcast.schema import DeviceEvidence, InputError, MissingEvidenceError, Target
from predictors.base import FloatArray, LatencyDataset, Predictor
from predictors.data.splits import group_folds, row_keys
from predictors.evaluation.metrics import absolute_percentage_error

__all__ = ["MOST_REFITS", "leave_one_out_ape"]

MOST_REFITS = 50
"""Largest number of adaptations, each of which may take half a second; a larger support is left out in parts."""


def leave_one_out_ape(
    base: Predictor,
    target: Target,
    support: LatencyDataset,
    evidence: DeviceEvidence | None = None,
    *,
    most_refits: int = MOST_REFITS,
) -> FloatArray:
    """Absolute percentage error of each row of a support, as forecast by an adaptation to the other networks.

    Rows of one network are left out together. A support of more networks than refits is left out in as many parts.

    Args:
        base: fitted predictor, before its adaptation to the target.
        target: target of the support's rows.
        support: the k rows that the predictor is adapted to.
        evidence: evidence for the adaptation, as for `Predictor.adapt`.
        most_refits: largest number of adaptations.

    Returns:
        Errors as shares (0.1 is 10 %), float64 (k,); NaN where the other rows do not suffice for an adaptation, as for
        a support of one network.

    Raises:
        NotFittedError: the base is not fitted.
    """
    errors = np.full(len(support), np.nan)
    for others, held_out in group_folds(row_keys(support), most_refits):
        try:
            adapted = base.adapt(target, support.subset(others), evidence)
        except (InputError, MissingEvidenceError):
            continue
        left_out = support.subset(held_out)
        errors[held_out] = absolute_percentage_error(left_out.latency_ms, adapted.predict(left_out.queries).median_ms)
    return errors
