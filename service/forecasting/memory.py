"""What was forecast or measured of architectures, kept in memory: asked again, it costs a look into a dictionary.

A search asks for thousands of texts of one space on one target. What is known of them follows from the target's
measurements and from the predictor that answers; while neither changes, an answer stays what it is. So answers are kept
as columns, one row for each text, and dropped when the database says that something of the target changed.
"""

import threading
from collections import OrderedDict
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass

import numpy as np

from latcast.schema import Architecture, LatcastError, Target, TargetId
from predictors.base import FloatArray, Query, normal_quantile
from profilers.caching import Cache
from profilers.search_spaces import get_space
from service.db.changes import Changes
from service.db.session import Database
from service.forecasting.columns import Answers, Responder
from service.forecasting.selection import PredictorSelection
from service.forecasting.types import Forecast, senseless
from service.graphs.queries import reads_natively
from service.learning.catalogue import PredictorCatalogue, ServedPredictor
from service.measurements.lookup import MeasuredLatency, measured_latencies, measured_networks
from service.measurements.revisions import rows_state

__all__ = ["ForecastMemory", "Prepared", "Remembered"]

ENTRY_BYTES = 250
"""What a text takes beside its characters, about."""
LINE_BYTES = 150
"""What an answer that is kept as it was written takes beside its characters, about."""
FIRST_ROWS = 1024
MOST_LOOKS = 1000
"""Targets and spaces that are looked up at a time."""
QUICK_TEXTS = 64
"""New texts that are read on the event loop at most; more take a thread."""


class Remembered:
    """The answers about one search space on one target. Thread-safe.

    Args:
        target: the target.
        space: name of the search space.
        responder: who is asked first about the space's architectures; learns by itself where it reads them natively.
        state: whatever the answers depend on.
        measured_texts: texts that the target has measurements of.
    """

    def __init__(
        self, target: Target, space: str, responder: ServedPredictor, state: object, measured_texts: frozenset[str]
    ) -> None:
        self.target, self.space, self.responder, self.state = target, space, responder, state
        self.target_id = target.id  # a digest, which every call would make anew
        self._responder = Responder(
            predictor=responder.id,
            kind=responder.predictor.kind,
            adapted=responder.adapted,
            measurements=len(responder.support),
            warning=responder.warning,
            descriptor=responder.predictor.device_descriptor(),
        )
        self.is_native = reads_natively(responder.predictor, space)
        self.generation = -1
        self._measured_texts = measured_texts
        self._text_bytes = _bytes_of(measured_texts)
        self._rows: dict[str, int] = {}
        self._statistics: dict[int, str] = {}
        self._measured: set[str] = set()
        self._lines = _Lines(0.0)
        # Columns: latency, standard error of its logarithm with the tail's factor, coverage, whether measured.
        self._columns = np.zeros((4, FIRST_ROWS))
        self._count = 0
        self._lock = threading.Lock()

    @property
    def size_bytes(self) -> int:
        """Memory that it takes, about."""
        return self._text_bytes + self._columns.nbytes + self._lines.size_bytes

    def missing(self, texts: Sequence[str]) -> list[str]:
        """Those of the texts that have no row, each once, in order."""
        rows = self._rows
        return list(dict.fromkeys(text for text in texts if text not in rows))

    def learn(self, texts: Sequence[str], database: Database | None) -> dict[str, LatcastError] | None:
        """Give texts that have no row one; the errors of those that are no architectures.

        Args:
            texts: texts without a row.
            database: asked for those that were measured; without it None is the answer where it would be asked.
        """
        parsed, errors = self._parsed(texts)
        known = self._measured_texts.intersection(one.text for one in parsed.values())
        found: dict[str, MeasuredLatency] = {}
        if known:
            if database is None:
                return None
            with database.read() as session:
                found = measured_latencies(session, self.target, self.space, known)
        self._learn_measured({text: found[one.text] for text, one in parsed.items() if one.text in found})
        return errors | self._learn_forecasts({text: one for text, one in parsed.items() if one.text not in found})

    def take(self, texts: Sequence[str], forecasts: Sequence[Forecast | LatcastError], level: float) -> None:
        """Remember answers that the forecaster gave; those of other responders, and errors, are left out.

        Args:
            texts: n texts.
            forecasts: their answers.
            level: of the intervals.
        """
        for source in ("measured", "predicted"):
            taken = {
                text: one
                for text, one in zip(texts, forecasts, strict=True)
                if isinstance(one, Forecast) and one.source == source and self._is_plain(one)
            }
            if taken:
                self._take(list(taken), list(taken.values()), level, measured=source == "measured")

    def _is_plain(self, forecast: Forecast) -> bool:
        responder = self._responder
        same = (forecast.predictor, forecast.adapted, forecast.measurements) == (
            responder.predictor, responder.adapted, responder.measurements,
        )  # fmt: skip
        return (same or forecast.source == "measured") and not (forecast.unknown_operators or forecast.remarks)

    def _take(self, texts: list[str], forecasts: list[Forecast], level: float, *, measured: bool) -> None:
        ends = np.array([one.interval_ms or (np.nan, np.nan) for one in forecasts])
        spread = np.log(ends[:, 1] / ends[:, 0]) / (2 * normal_quantile((1 + level) / 2))
        latency, coverage = [one.latency_ms for one in forecasts], [one.coverage for one in forecasts]
        values = np.array([latency, spread, coverage, np.full(len(texts), float(measured))])
        if measured:
            self._measured.update(texts)
        self._store(texts, values, [one.statistic or "" for one in forecasts] if measured else ())

    def _parsed(self, texts: Sequence[str]) -> tuple[dict[str, Architecture], dict[str, LatcastError]]:
        parse = get_space(self.space).parse
        parsed, errors = dict[str, Architecture](), dict[str, LatcastError]()
        for text in texts:
            try:
                parsed[text] = parse(text)
            except LatcastError as error:
                errors[text] = error
        return parsed, errors

    def _learn_forecasts(self, parsed: Mapping[str, Architecture]) -> dict[str, LatcastError]:
        if not parsed:
            return {}
        predictor = self.responder.predictor
        queries = [Query(target=self.target, architecture=one) for one in parsed.values()]
        prediction = self.responder.predict(queries)
        spread = np.full(len(queries), np.nan) if prediction.log_std is None else prediction.log_std
        values = np.array(
            [prediction.median_ms, spread * prediction.tail_scale, predictor.coverage(queries), np.zeros(len(queries))]
        )
        sensible = np.isfinite(values[0]) & (values[0] > 0)
        names = np.array(list(parsed), dtype=object)
        self._store(names[sensible].tolist(), values[:, sensible])
        return {text: senseless() for text in names[~sensible].tolist()}

    def _learn_measured(self, found: Mapping[str, MeasuredLatency]) -> None:
        if found:
            noise = [np.nan if each.noise_log is None else each.noise_log for each in found.values()]
            whole = [1.0] * len(found)
            values = np.array([[each.median_ms for each in found.values()], noise, whole, whole])
            self._measured.update(found)
            self._store(list(found), values, [each.statistic for each in found.values()])

    def _store(self, texts: Sequence[str], values: FloatArray, statistics: Sequence[str] = ()) -> None:
        with self._lock:
            fresh = [index for index, text in enumerate(texts) if text not in self._rows]
            start = self._count
            end = start + len(fresh)
            while end > self._columns.shape[1]:
                self._columns = np.concatenate([self._columns, np.zeros_like(self._columns)], axis=1)
            self._columns[:, start:end] = values[:, fresh]
            self._statistics.update(
                {start + place: statistics[index] for place, index in enumerate(fresh) if statistics}
            )
            self._count = end
            self._text_bytes += _bytes_of(texts[index] for index in fresh)
            # Readers look at the dictionary without the lock: it comes last.
            self._rows.update({texts[index]: start + place for place, index in enumerate(fresh)})

    def answers(self, texts: Sequence[str], level: float, errors: Mapping[str, LatcastError]) -> Answers:
        """Answers to texts that have rows, or errors.

        Args:
            texts: n of them.
            level: probability that the interval holds the latency, in (0, 1).
            errors: what `learn` said of texts that are no architectures.
        """
        rows = self._rows
        places = np.fromiter((rows.get(text, -1) for text in texts), dtype=np.intp, count=len(texts))
        # Read after the dictionary: a row is there before its text is, and the columns may have moved meanwhile.
        latency, spread, coverage, measured = self._columns[:, places]
        width = np.exp(normal_quantile((1 + level) / 2) * spread)
        statistics = self._statistics
        wrong = {index: errors[texts[index]] for index in np.flatnonzero(places < 0).tolist()}
        for index in wrong:
            latency[index] = width[index] = np.nan
            coverage[index] = measured[index] = 0.0
        return Answers(
            latency_ms=latency,
            low_ms=latency / width,
            high_ms=latency * width,
            measured=measured > 0,
            coverage=coverage,
            statistics={index: statistics[places[index]] for index in np.flatnonzero(measured > 0).tolist()}
            if statistics
            else {},
            errors=wrong,
            responder=self._responder,
            origin=self.target.origin,
        )

    def lines(
        self,
        texts: Sequence[str],
        level: float,
        errors: Mapping[str, LatcastError],
        write: Callable[[Answers], Iterable[str]],
    ) -> list[str]:
        """Answers as they are written; those of the last level that was asked for are kept.

        Args:
            texts: n that have rows, or errors.
            level: as in `answers`.
            errors: as in `answers`.
            write: one line for each answer; always the same function.
        """
        kept = self._lines
        if kept.level != level:
            kept = self._lines = _Lines(level)
        try:
            return list(map(kept.by_text.__getitem__, texts))
        except KeyError:
            new = [text for text in dict.fromkeys(texts) if text not in kept.by_text]
        written = dict(zip(new, write(self.answers(new, level, errors)), strict=True))
        with self._lock:
            kept.add({text: line for text, line in written.items() if text not in errors})
        return [written.get(text) or kept.by_text[text] for text in texts]

    def measured_among(self, texts: Iterable[str]) -> int:
        """How many of the texts, which have rows, are answered by measurements."""
        return sum(map(self._measured.__contains__, texts)) if self._measured else 0


class _Lines:
    """Answers at one level as they were written, by text."""

    def __init__(self, level: float) -> None:
        self.level, self.size_bytes = level, 0
        self.by_text: dict[str, str] = {}

    def add(self, lines: Mapping[str, str]) -> None:
        self.size_bytes += sum(len(line) + LINE_BYTES for text, line in lines.items() if text not in self.by_text)
        self.by_text.update(lines)


@dataclass(frozen=True, slots=True)
class Prepared:
    """Texts of one space on one target whose answers are in memory.

    Args:
        remembered: the answers.
        texts: n texts.
        errors: of those that are no architectures.
        keep_bound: called when the answers take more memory than before.
    """

    remembered: Remembered
    texts: Sequence[str]
    errors: Mapping[str, LatcastError]
    keep_bound: Callable[[], None]

    def answers(self, level: float) -> Answers:
        """The answers as columns; `level` is the probability that an interval holds the latency, in (0, 1)."""
        return self.remembered.answers(self.texts, level, self.errors)

    def lines(self, level: float, write: Callable[[Answers], Iterable[str]]) -> list[str]:
        """The answers as `write` writes them, one for each text."""
        size = self.remembered.size_bytes
        lines = self.remembered.lines(self.texts, level, self.errors, write)
        if self.remembered.size_bytes > size:
            self.keep_bound()
        return lines

    def counts(self) -> tuple[int, int, int]:
        """How many are (measured, predicted, errors)."""
        wrong = sum(map(self.errors.__contains__, self.texts)) if self.errors else 0
        measured = self.remembered.measured_among(self.texts)
        return measured, len(self.texts) - measured - wrong, wrong


class ForecastMemory:
    """Remembers answers by target and search space, and forgets what changed or what nobody used. Thread-safe.

    Args:
        database: where measurements are.
        catalogue: which predictors there are for a target.
        selection: which of them answers.
        changes: says when something was committed.
        most_bytes: memory for all rows together, about.

    Attributes:
        hits: how many texts had an answer when they were asked for.
        misses: how many had none.
    """

    def __init__(
        self,
        database: Database,
        catalogue: PredictorCatalogue,
        selection: PredictorSelection,
        changes: Changes,
        *,
        most_bytes: int,
    ) -> None:
        self._database, self._catalogue, self._selection, self._changes = database, catalogue, selection, changes
        self._most_bytes = most_bytes
        self.hits = self.misses = 0
        self._kept: OrderedDict[tuple[TargetId, str], Remembered] = OrderedDict()
        self._lock = threading.Lock()
        self._looks: Cache[tuple[TargetId, str], threading.Lock] = Cache(MOST_LOOKS)

    def at_once(self, target_id: TargetId, space: str, texts: Sequence[str]) -> Prepared | None:
        """Prepare answers without a look at the database, for the event loop; None where it takes one.

        Args:
            target_id: the target.
            space: name of the search space.
            texts: few of them may be new.
        """
        remembered = self._kept.get((target_id, space))
        if remembered is None or not self._is_current(remembered):
            return None
        missing = remembered.missing(texts)
        if not missing:
            self._count(len(texts), 0)
            return Prepared(remembered, texts, {}, self._forget_beyond_bound)
        few = remembered.is_native and len(missing) <= QUICK_TEXTS
        errors = remembered.learn(missing, None) if few else None
        if errors is None:
            return None
        self._count(len(texts), len(missing))
        self._forget_beyond_bound()
        return Prepared(remembered, texts, errors, self._forget_beyond_bound)

    def prepare(self, target_id: TargetId, space: str, texts: Sequence[str]) -> Prepared | None:
        """Prepare answers, with a look at the database where it is needed; None where graphs have to be built: then the
        forecaster is asked, and what it answers is taken (`take`).

        Args:
            target_id: the target.
            space: name of the search space.
            texts: of architectures.

        Raises:
            NotFoundError: nobody registered the target.
            UnknownNameError: there is no such search space.
            ConflictError: no predictor can answer for the target.
        """
        remembered = self._fresh(target_id, get_space(space).name)
        missing = remembered.missing(texts)
        if missing and not remembered.is_native:
            return None
        self._count(len(texts), len(missing))
        errors = (remembered.learn(missing, self._database) if missing else None) or {}
        self._forget_beyond_bound()
        return Prepared(remembered, texts, errors, self._forget_beyond_bound)

    def take(
        self,
        target_id: TargetId,
        space: str,
        texts: Sequence[str],
        forecasts: Sequence[Forecast | LatcastError],
        *,
        level: float,
        generation: int,
    ) -> None:
        """Remember what the forecaster answered about a space that nobody reads natively.

        Args:
            target_id: the target.
            space: name of the search space.
            texts: n texts.
            forecasts: their answers.
            level: of the intervals.
            generation: `Changes.generation` before the forecaster was asked; answers from before a change are dropped.
        """
        remembered = self._kept.get((target_id, space))
        if remembered is None or remembered.is_native or not self._is_current(remembered):
            return
        if generation >= self._changes.of_target(remembered.target_id):
            remembered.take(texts, forecasts, level)
            self._count(len(texts), len(texts))
            self._forget_beyond_bound()

    def _count(self, texts: int, missing: int) -> None:
        with self._lock:
            self.hits += texts - missing
            self.misses += missing

    def _is_current(self, remembered: Remembered) -> bool:
        return self._changes.reachable and remembered.generation >= self._changes.of_target(remembered.target_id)

    def _fresh(self, target_id: TargetId, space: str) -> Remembered:
        """What is remembered of a space on a target, emptied if something of it changed; one call at a time looks."""
        with self._looks.get_or_make((target_id, space), threading.Lock):
            return self._looked_up(target_id, space)

    def _looked_up(self, target_id: TargetId, space: str) -> Remembered:
        key, generation = (target_id, space), self._changes.generation
        remembered = self._kept.get(key)
        if remembered is not None and self._is_current(remembered):
            return remembered
        predictors = self._catalogue.predictors_of(target_id, not_before=self._changes.noticed_at)
        responder = self._selection.of(predictors, space, not_before=self._changes.noticed_at)[0]
        with self._database.read() as session:
            rows_are = rows_state(session, predictors.target.id)
            state = (responder.id, id(responder.predictor), responder.interval_scale, rows_are)
            if remembered is None or remembered.state != state:
                natively = reads_natively(responder.predictor, space)
                rows = measured_networks(session, predictors.target, space) if natively else []
                texts = frozenset(row.name for row in rows)
                remembered = Remembered(predictors.target, space, responder, state, texts)
        remembered.generation = generation
        with self._lock:
            self._kept[key] = remembered
            self._kept.move_to_end(key)
        return remembered

    def _forget_beyond_bound(self) -> None:
        with self._lock:
            sizes = [remembered.size_bytes for remembered in self._kept.values()]
            beyond = sum(sizes) - self._most_bytes
            for size in sizes:
                if beyond <= 0:
                    return
                self._kept.popitem(last=False)
                beyond -= size


def _bytes_of(texts: Iterable[str]) -> int:
    return sum(len(text) + ENTRY_BYTES for text in texts)
