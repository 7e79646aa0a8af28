"""What Prometheus can ask: calls and forecasts of this process, and what the database says of fleet and queue."""

from collections import Counter as Counts
from collections.abc import Callable, Iterator, Mapping, Sequence

from prometheus_client import CollectorRegistry, Counter, Histogram, generate_latest
from prometheus_client.core import CounterMetricFamily, GaugeMetricFamily, Metric
from prometheus_client.registry import Collector

from service.forecasting.columns import Answers
from service.forecasting.types import Forecast

__all__ = ["CacheUse", "Gauges", "Metrics"]

CacheUse = Callable[[], tuple[int, int]]
"""(hits, misses) of a cache."""
Gauges = Mapping[str, tuple[str, Sequence[str], Mapping[tuple[str, ...], float]]]
"""By name: what it is, names of labels, values by labels."""
FORECAST_BUCKETS_S = (0.0005, 0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 1.0, 5.0, 30.0)


class Metrics:
    """The counters of one application. Thread-safe.

    Args:
        caches: whose use is counted, by name.
    """

    def __init__(self, caches: Mapping[str, CacheUse] | None = None) -> None:
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
        self._forecast_seconds = Histogram(
            "latcast_forecast_seconds", "Time to answer a call for forecasts, without its way through HTTP.",
            ("form", "answered"), registry=self._registry, buckets=FORECAST_BUCKETS_S,
        )  # fmt: skip
        self._of_form: dict[tuple[str, str], Histogram] = {}
        self._registry.register(_Caches(caches or {}))

    def observe_call(self, method: str, route: str, status: int, seconds: float) -> None:
        """Count a call."""
        key = (method, route, status)
        if (counters := self._of_call.get(key)) is None:
            counters = self._calls.labels(method, route, str(status)), self._seconds.labels(method, route)
            self._of_call[key] = counters
        counters[0].inc()
        counters[1].observe(seconds)

    def observe_forecasts(self, form: str, answered: str, seconds: float) -> None:
        """Count a call for forecasts.

        Args:
            form: `single`, `list` or `columns`.
            answered: `memory` or `route`.
            seconds: it took.
        """
        if (counter := self._of_form.get((form, answered))) is None:
            counter = self._of_form[form, answered] = self._forecast_seconds.labels(form, answered)
        counter.observe(seconds)

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

    def render(self, gauges: Gauges) -> bytes:
        """The text that Prometheus reads; `gauges` are what the database says now."""
        now = CollectorRegistry()
        now.register(_Now(gauges))
        return generate_latest(self._registry) + generate_latest(now)


class _Caches(Collector):
    """The use of caches, read when it is asked for."""

    def __init__(self, caches: Mapping[str, CacheUse]) -> None:
        self._caches = caches

    def collect(self) -> Iterator[Metric]:
        hits = CounterMetricFamily("latcast_cache_hits", "Values that were there.", labels=("cache",))
        misses = CounterMetricFamily("latcast_cache_misses", "Values that were not.", labels=("cache",))
        for name, use in self._caches.items():
            for family, count in zip((hits, misses), use(), strict=True):
                family.add_metric((name,), count)
        yield from (hits, misses)


class _Now(Collector):
    """Gauges with their values."""

    def __init__(self, gauges: Gauges) -> None:
        self._gauges = gauges

    def collect(self) -> Iterator[Metric]:
        for name, (what, labels, values) in self._gauges.items():
            family = GaugeMetricFamily(name, what, labels=labels)
            for names, value in values.items():
                family.add_metric(names, value)
            yield family
