"""Errors of an adaptation on rows that it has not seen, from the support alone: each network is left out in turn.

An adapted predictor fits the rows of its support, so its errors there say nothing of other networks. Leaving each
network out, adapting to the others and forecasting it does (Stone, Cross-validatory choice and assessment of
statistical predictions, Journal of the Royal Statistical Society B 36, 1974).
"""

import numpy as np

from latcast.schema import DeviceEvidence, InputError, MissingEvidenceError, Target
from predictors.base import FloatArray, LatencyDataset, Predictor
from predictors.data.splits import group_folds, row_keys
from predictors.evaluation.metrics import absolute_percentage_error

__all__ = ["MOST_REFITS", "leave_one_out_ape"]

MOST_REFITS = 50
"""Supports of more networks are left out in this many parts: an adaptation may take half a second."""


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
        target: whose rows the support has.
        support: the k rows that the predictor is adapted to.
        evidence: what else the adaptation reads, as for `Predictor.adapt`.
        most_refits: adaptations at most.

    Returns:
        Shares (0.1 is 10 %), float64 (k,); NaN where the other rows do not suffice for an adaptation, as always where
        the support has one network.

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
