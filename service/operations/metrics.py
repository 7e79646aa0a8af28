"""What Prometheus can ask: calls, forecasts, measurements, and the queue."""

from collections import Counter as Counts
from collections.abc import Sequence

from prometheus_client import CollectorRegistry, Counter, Gauge, Histogram, generate_latest
from sqlalchemy import func, select
from sqlalchemy.orm import Session

from service.db.tables import Job
from service.forecasting.columns import Answers
from service.forecasting.types import Forecast

__all__ = ["Metrics"]


class Metrics:
    """The counters of one application. Thread-safe."""

    def __init__(self) -> None:
        self._registry = CollectorRegistry()
        self._calls = Counter(
            "latcast_calls_total", "Calls by route and status.", ("method", "route", "status"), registry=self._registry
        )
        self._seconds = Histogram(
            "latcast_call_seconds", "Time to answer a call.", ("method", "route"), registry=self._registry
        )
        self._of_call: dict[tuple[str, str, int], tuple[Counter, Histogram]] = {}
        self._forecasts = Counter(
            "latcast_forecasts_total", "Items answered by POST /v1/predict.", ("source",), registry=self._registry
        )
        self._jobs = Gauge("latcast_jobs", "Jobs by kind and state.", ("kind", "state"), registry=self._registry)

    def observe_call(self, method: str, route: str, status: int, seconds: float) -> None:
        """Count a call."""
        key = (method, route, status)
        if (counters := self._of_call.get(key)) is None:
            counters = self._calls.labels(method, route, str(status)), self._seconds.labels(method, route)
            self._of_call[key] = counters
        counters[0].inc()
        counters[1].observe(seconds)

    def count_forecasts(self, answers: Sequence[Forecast | Exception]) -> None:
        """Count answers by where they came from, or as errors."""
        sources = Counts(answer.source if isinstance(answer, Forecast) else "error" for answer in answers)
        for source, count in sources.items():
            self._forecasts.labels(source).inc(count)

    def count_answers(self, answers: Answers) -> None:
        """Count answers in columns, as `count_forecasts` counts single ones."""
        measured, errors = int(answers.measured.sum()), len(answers.errors)
        self.count_sources(measured, len(answers.measured) - measured - errors, errors)

    def count_sources(self, measured: int, predicted: int, errors: int) -> None:
        """Count answers by where they came from."""
        for source, count in (("measured", measured), ("predicted", predicted), ("error", errors)):
            if count:
                self._forecasts.labels(source).inc(count)

    def render(self, session: Session) -> bytes:
        """The text that Prometheus reads; the queue is counted now."""
        self._jobs.clear()
        for kind, state, count in session.execute(
            select(Job.kind, Job.state, func.count()).group_by(Job.kind, Job.state)
        ):
            self._jobs.labels(kind, state).set(count)
        return generate_latest(self._registry)
