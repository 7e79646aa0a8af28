"""What a device has taught on one target, carried over to another: a new runtime version, level, precision or count.

log latency(new) = log adapted(old) + log base(new) - log base(old): what the device's own measurements say beyond the
base stays, and what the base knows of the configurations changes. On the measured data set (20 networks of the old
target, forecasts of 120 others on the new one, device unknown to the base) the errors of that are 4.6 % where nothing
but the version differs, 3 to 10 % between optimisation levels, 19 to 22 % between thread counts, 26 to 38 % between
precisions; the spreads below are those of their logarithms.
"""

from collections.abc import Sequence
from dataclasses import replace
from math import hypot
from typing import ClassVar, NoReturn, Self

import numpy as np

from latcast.schema import DeviceEvidence, InputError, Target
from predictors.artifact import Artifact
from predictors.base import Capabilities, FloatArray, LatencyDataset, Prediction, Predictor, Progress, Query
from predictors.explanation import Explains, KernelForecasts

__all__ = ["CarriedOver", "transfer_spread"]

VERSION, OPTIONS, THREADS, PRECISION, BACKEND = 0.1, 0.17, 0.28, 0.35, 0.45
"""Standard deviation of the log error that a difference in each adds."""


def transfer_spread(old: Target, new: Target) -> float | None:
    """Standard deviation of the log error of carrying over; None between different devices, or imported tables."""
    if old.device != new.device or old.origin or new.origin:
        return None
    parts = (
        VERSION * (old.backend_version != new.backend_version or old.backend != new.backend),
        OPTIONS * (dict(old.options) != dict(new.options)),
        THREADS * (old.threads != new.threads),
        PRECISION * (old.precision != new.precision),
        BACKEND * (old.backend != new.backend),
    )
    return hypot(*parts)


class CarriedOver(Predictor):
    """Forecasts for a target nobody measured on, from an adaptation to another target of the same device.

    It is never trained or stored: it follows from the two predictors that it is made of.

    Args:
        adapted: predictor that is adapted to `old`.
        base: the same predictor before it was adapted, or a newer one of its kind.
        old: target that was measured on.
        new: target that forecasts are wanted of.

    Raises:
        InputError: the targets belong to different devices.
    """

    kind: ClassVar[str] = "carried_over"
    capabilities: ClassVar[Capabilities] = Capabilities(inputs=frozenset({"graph"}), adaptable=False)

    def __init__(self, adapted: Predictor, base: Predictor, old: Target, new: Target) -> None:
        super().__init__(seed=base.seed)
        spread = transfer_spread(old, new)
        if spread is None:
            raise InputError("What one device has taught is not carried over to another one: adapt to that.")
        self._adapted, self._base, self._old, self._spread = adapted, base, old, spread
        self.kind = adapted.kind  # type: ignore[misc]  # an instance forecasts as its parts do

    def predict(self, queries: Sequence[Query]) -> Prediction:
        """Forecasts of the old target, changed by what the base knows of both, and as much less certain."""
        old = [query.on(self._old) for query in queries]
        carried = self._adapted.predict(old)
        changed = self._base.predict(queries).median_ms / self._base.predict(old).median_ms
        spread = None if carried.log_std is None else np.hypot(carried.log_std, self._spread / carried.tail_scale)
        return replace(carried, median_ms=carried.median_ms * changed, log_std=spread)

    def coverage(self, queries: Sequence[Query]) -> FloatArray:
        """The adapted predictor's, of the networks on the old target."""
        return self._adapted.coverage([query.on(self._old) for query in queries])

    def unknown_operators(self, query: Query) -> tuple[str, ...]:
        """The base's, of the network on the new target."""
        return self._base.unknown_operators(query)

    def device_descriptor(self) -> str | None:
        """The base's."""
        return self._base.device_descriptor()

    def targets_asked(self, target: Target) -> tuple[Target, ...]:
        """Both targets, whose kernels may differ."""
        return (self._old, target)

    def explain(self, query: Query) -> KernelForecasts:
        """The kernels of the new target as the base has them, in a sum that is the forecast.

        Raises:
            InputError: the base does not sum over kernels.
        """
        if not isinstance(self._base, Explains):
            raise InputError(f"The predictor {self.kind!r} does not forecast by kernel, so it cannot be explained.")
        parts = self._base.explain(query)
        total = float(self.predict([query]).median_ms[0])
        return replace(parts, latency_ms=parts.latency_ms * (total / float(parts.latency_ms.sum())))

    def fitted_capabilities(self) -> Capabilities:
        """Those of the adapted predictor."""
        return replace(self._adapted.fitted_capabilities(), adaptable=False)

    def fit(
        self, data: LatencyDataset, *, validation: LatencyDataset | None = None, progress: Progress | None = None
    ) -> NoReturn:
        """Refused.

        Raises:
            InputError: always.
        """
        raise InputError("What was carried over is not trained: train its base.")

    def adapt(self, target: Target, support: LatencyDataset, evidence: DeviceEvidence | None = None) -> Self:
        """Refused.

        Raises:
            InputError: always.
        """
        raise InputError("What was carried over is not adapted: adapt its base.")

    def to_artifact(self) -> Artifact:
        """Refused.

        Raises:
            InputError: always.
        """
        raise InputError("What was carried over is not stored: it follows from its parts.")

    @classmethod
    def from_artifact(cls, artifact: Artifact) -> Self:
        """Refused.

        Raises:
            InputError: always.
        """
        raise InputError("What was carried over is not stored: it follows from its parts.")
