"""What a forecast is asked with and answered by; shared by the routes and by `service.forecasting.forecaster`."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Literal, Protocol

from latcast.schema import GraphHash, LatcastError, TargetId, UnsupportedGraphError

if TYPE_CHECKING:
    from predictors.base import FloatArray
    from predictors.explanation import Explanation
    from service.forecasting.contenders import SpaceContenders
    from service.graphs.resolver import Item

__all__ = [
    "ExplainedForecast",
    "Forecast",
    "ForecasterLike",
    "Neighbour",
    "Proposal",
    "QualityPair",
    "Source",
    "senseless",
]

Source = Literal["measured", "predicted"]


@dataclass(frozen=True, slots=True, kw_only=True)
class Forecast:
    """The answer to one item.

    Args:
        latency_ms: median latency in ms.
        interval_ms: (low, high) in ms, holding the latency with the asked probability; None where nobody claims one.
        source: `measured` when the database knows the answer, else `predicted`.
        coverage: share of the predicted cost in operators and shapes that training has seen, 0–1; 1 when measured.
        adapted: the target's own adaptation answered (or a measurement), not the base predictor.
        predictor: id of the predictor that answered; None when measured.
        kind: of that predictor; None when measured.
        measurements: how many measured networks of the target the answer rests on: 1 when measured, those that the
            predictor was adapted to, 0 for a base predictor.
        statistic: of a measured answer, what it is: `median` of samples taken here, or what a public table gives
            (`mean`, `reported`).
        origin: where the target's measurements are from, with the licence; empty for those taken here.
        unknown_operators: operators that training has not seen.
        remarks: what to know of the network before trusting the answer, a sentence each.
        warning: what to know of the predictor before trusting it, a sentence; None where there is nothing.
        descriptor: which evidence describes the device to the predictor, a field of `DeviceEvidence`; None where none
            does, and when measured.
    """

    latency_ms: float
    interval_ms: tuple[float, float] | None
    source: Source
    coverage: float
    adapted: bool
    predictor: str | None = None
    kind: str | None = None
    measurements: int = 0
    statistic: str | None = None
    origin: str = ""
    unknown_operators: tuple[str, ...] = ()
    remarks: tuple[str, ...] = ()
    warning: str | None = None
    descriptor: str | None = None


def senseless() -> UnsupportedGraphError:
    """The error of an item whose latency, or an end of its interval, would be no positive number."""
    return UnsupportedGraphError(
        "No sensible forecast of this network: its latency would be no positive number of milliseconds. An attribute "
        "or a size in the model is probably out of range; check it with onnx.checker.check_model."
    )


@dataclass(frozen=True, slots=True, kw_only=True)
class QualityPair:
    """A measured network beside its forecast.

    Args:
        graph: hash of the graph; None where a public table has no graph.
        space, text: the architecture, where it is one.
        measured_ms, predicted_ms: latencies in ms.
        support: the row was in the adaptation's support set, so its forecast is not held-out.
        row: id of the measurement.
        interval_ms: (low, high) in ms at the level 0.9; None where nobody claims one.
        file_precision: what the graph's file itself computes in, such as `int8`; empty where that is not known.
    """

    graph: GraphHash | None
    measured_ms: float
    predicted_ms: float
    support: bool
    space: str | None = None
    text: str | None = None
    row: int | None = None
    interval_ms: tuple[float, float] | None = None
    file_precision: str = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class Neighbour:
    """A measured network that spends its time alike.

    Args:
        name: for people.
        measured_ms: its latency.
        distance: total variation of the shares of time by class of kernels: 0 is alike, 1 has nothing in common.
    """

    name: str
    measured_ms: float
    distance: float


@dataclass(frozen=True, slots=True, kw_only=True)
class Proposal:
    """A network that could be measured next.

    Args:
        space: the search space that it is of.
        text: the architecture.
        forecast_ms: how long it is expected to take.
        variance_removed: share of the variance of the explained forecast's logarithm that measuring it would remove.
    """

    space: str
    text: str
    forecast_ms: float
    variance_removed: float


@dataclass(frozen=True, slots=True, kw_only=True)
class ExplainedForecast:
    """A forecast and why it is what it is.

    Args:
        forecast: the answer to the item, as `/predict` gives it.
        explanation: the kernels that the predictor expects, and the target's peaks; None where there are none.
        no_kernels: why there is no explanation by kernel; empty where there is one.
        kernel_measured_ms: float64 (kernels,), what was measured of each kernel, NaN where nothing was; None where
            the network was not measured, or without its kernels.
        nearest: measured networks, the most alike first.
        measure_next: what to measure, the most useful first.
    """

    forecast: Forecast
    explanation: "Explanation | None" = None
    no_kernels: str = ""
    kernel_measured_ms: "FloatArray | None" = None
    nearest: tuple[Neighbour, ...] = ()
    measure_next: tuple[Proposal, ...] = ()


class ForecasterLike(Protocol):
    """What the routes need of `service.forecasting.forecaster.Forecaster`. Thread-safe.

    Constructed as `Forecaster(settings, session_factory, loader)`.
    """

    def forecast(
        self, target_id: TargetId, items: "Sequence[Item]", level: float, *, predictor: str | None = None
    ) -> list[Forecast | LatcastError]:
        """Answers in the order of the items; an item that cannot be answered has its error instead.

        Args:
            target_id: a registered target.
            items: what to forecast.
            level: probability that the interval holds the latency, in (0, 1).
            predictor: who answers, for measured networks too: the id of a predictor, or a kind; by default, who fits
                best.

        Raises:
            NotFoundError: nobody registered the target, or there is no such predictor.
            ConflictError: the predictor cannot be used here.
        """
        ...

    def contenders(self, target_id: TargetId) -> "list[SpaceContenders]":
        """For graphs, and for each search space of which the target has measurements: who contends to answer.

        Raises:
            NotFoundError: nobody registered the target.
        """
        ...

    def explain(self, target_id: TargetId, item: "Item", level: float, *, most: int) -> ExplainedForecast:
        """The answer to an item and why it is what it is.

        Args:
            target_id: a registered target.
            item: whose forecast is explained.
            level: probability that the interval holds the latency, in (0, 1).
            most: neighbours and proposals at most.

        Raises:
            LatcastError: the item cannot be answered; the error that `forecast` has for it.
        """
        ...

    def artifact(self, target_id: TargetId, space: str) -> bytes:
        """The predictor that answers for architectures of a space, adapted to the target, as an artifact.

        Raises:
            NotFoundError: nobody registered the target.
            ConflictError: none is adapted.
        """
        ...

    def quality(self, target_id: TargetId) -> list[QualityPair]:
        """Every measured network of the target beside its forecast, oldest first.

        Raises:
            NotFoundError: nobody registered the target.
            ConflictError: no predictor can answer for the target; says what to do.
        """
        ...
