"""How well a base predictor forecast networks that it had not seen, as its training recorded it."""

from collections.abc import Mapping
from typing import Any

from latcast.schema import Target
from predictors.base import Predictor

__all__ = ["FEWEST_JUDGED", "is_poor", "recorded_error", "warning_of"]

FEWEST_JUDGED = 5
"""Networks of which an adaptation is judged: the median of fewer errors is chance."""
POOR_FACTOR, POOR_ERROR = 2.5, 0.15
"""An adaptation is poor whose left-out error is so many times the recorded one, and above this in any case."""
_OF_TARGETS, _OF_NETWORKS = "held_out_targets", ("cross_validation", "families", "known")
_OF_A_MACHINE = ", machine "
"""What comes before the machine's number where training had a target on several."""


def recorded_error(predictor: Predictor, target: Target) -> float | None:
    """Median absolute percentage error on held-out networks, as a share; None where training recorded none.

    Held-out targets count where training had several; else networks, of families that were held out too, or of
    targets that are called like this one, whichever is larger.
    """
    metrics = predictor.provenance_.metrics
    if (apart := _median(metrics.get(_OF_TARGETS))) is not None:
        return apart
    by_label = metrics.get("known_by_target", {})
    alike = [figures for label, figures in by_label.items() if label.partition(_OF_A_MACHINE)[0] == target.label]
    known = [_median(figures) for figures in (*map(metrics.get, _OF_NETWORKS), *alike)]
    return max((error for error in known if error is not None), default=None)


def is_poor(figures: Mapping[str, Any]) -> bool:
    """Whether an adaptation's left-out error is far above what its base recorded.

    Args:
        figures: as `tables.Adaptation.metrics` keeps them.
    """
    error, recorded = figures.get("support_loo_median_ape"), figures.get("record_median_ape")
    if error is None or recorded is None or figures.get("support", 0) < FEWEST_JUDGED:
        return False
    return bool(error > max(POOR_FACTOR * recorded, POOR_ERROR))


def warning_of(figures: Mapping[str, Any]) -> str | None:
    """What callers are told of a poor adaptation; None of any other."""
    if not is_poor(figures):
        return None
    error, recorded = figures["support_loo_median_ape"], figures["record_median_ape"]
    return (
        f"The adaptation to this target is poor: networks left out of it are missed by {error:.0%} (median), where "
        f"its predictor missed those held out of its training by {recorded:.0%}. Adapt with more samples, or measure "
        "the networks that matter."
    )


def _median(figures: Any) -> float | None:
    value = figures.get("median_ape") if isinstance(figures, Mapping) else None
    return float(value) if isinstance(value, (int, float)) else None
