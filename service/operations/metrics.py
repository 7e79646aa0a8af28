"""What Prometheus can ask: calls and forecasts of this process, and what the database says of fleet and queue."""

import os
import threading
from collections import Counter as Counts
from collections.abc import Callable, Iterator, Mapping, Sequence
from pathlib import Path

from prometheus_client import CollectorRegistry, Counter, Histogram, generate_latest
from prometheus_client.core import GaugeMetricFamily, Metric
from prometheus_client.multiprocess import MultiProcessCollector
from prometheus_client.registry import Collector

from service.forecasting.columns import Answers
from service.forecasting.types import Forecast

__all__ = ["MULTIPROCESS", "NOTE_SECONDS", "CacheUse", "Gauges", "Metrics"]

CacheUse = Callable[[], tuple[int, int]]
"""(hits, misses) of a cache."""
Gauges = Mapping[str, tuple[str, Sequence[str], Mapping[tuple[str, ...], float]]]
"""By name: what it is, names of labels, values by labels."""
MULTIPROCESS = "PROMETHEUS_MULTIPROC_DIR"
"""prometheus_client's own variable: a folder in which the processes of one service count together."""
NOTE_SECONDS = 10.0
"""Pause between two notes of the use of caches."""
FORECAST_BUCKETS_S = (0.0005, 0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 1.0, 5.0, 30.0)


class Metrics:
    """The counters of one application. Thread-safe.

    Args:
        caches: whose use is counted, by name.
        others: folder in which another process of the service counts (`MULTIPROCESS` there); None without one.
    """

    def __init__(self, caches: Mapping[str, CacheUse] | None = None, *, others: Path | None = None) -> None:
        self._others = others
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
        uses = [
            Counter(f"latcast_cache_{name}_total", what, ("cache",), registry=self._registry)
            for name, what in (("hits", "Values that were there."), ("misses", "Values that were not."))
        ]
        self._caches = [(use, [each.labels(name) for each in uses], [0, 0]) for name, use in (caches or {}).items()]
        self._lock = threading.Lock()

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

    def note_caches(self) -> bool:
        """Count the use of caches since the last time; False, as there is nothing to catch up with."""
        with self._lock:
            for use, counters, noted in self._caches:
                for place, count in enumerate(use()):
                    counters[place].inc(count - noted[place])
                    noted[place] = count
        return False

    def render(self, gauges: Gauges) -> bytes:
        """The text that Prometheus reads; `gauges` are what the database says now."""
        self.note_caches()
        now = CollectorRegistry()
        now.register(_Now(gauges))
        return generate_latest(_counted_together() or self._with_others()) + generate_latest(now)

    def _with_others(self) -> CollectorRegistry:
        if self._others is None:
            return self._registry
        registry = CollectorRegistry()
        registry.register(_Sums(self._registry, self._others))
        return registry


def _counted_together() -> CollectorRegistry | None:
    """What all processes of the service counted; None where this one serves alone."""
    if MULTIPROCESS not in os.environ:
        return None
    registry = CollectorRegistry()
    MultiProcessCollector(registry)  # type: ignore[no-untyped-call]
    return registry


class _Sums(Collector):
    """What this process and others counted, as one."""

    def __init__(self, own: CollectorRegistry, others: Path) -> None:
        self._own, self._others = own, others

    def collect(self) -> Iterator[Metric]:
        theirs = CollectorRegistry()
        MultiProcessCollector(theirs, path=str(self._others))  # type: ignore[no-untyped-call]
        there = {family.name: family for family in theirs.collect()}
        for family in self._own.collect():
            yield _sum(family, there.pop(family.name, None))
        yield from there.values()


def _sum(family: Metric, other: Metric | None) -> Metric:
    if other is None:
        return family
    values: dict[tuple[str, tuple[tuple[str, str], ...]], float] = {}
    for sample in (*family.samples, *other.samples):
        key = sample.name, tuple(sorted(sample.labels.items()))
        values[key] = values.get(key, 0.0) + sample.value
    total = Metric(family.name, family.documentation, family.type)
    for (name, labels), value in values.items():
        total.add_sample(name, dict(labels), value)
    return total


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
