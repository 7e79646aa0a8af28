"""A target without a service: forecasts by a function, measures exactly, keeps what it was asked for."""

from collections.abc import Callable, Iterable, Sequence
from typing import Any

from latcast.loops.forecasts import column, forecasts_of_rows
from latcast.loops.target import WORK, listed
from latcast.schema import InvalidArchitectureError

__all__ = ["FakeTarget"]


class FakeTarget:
    """Forecasts `ms_of(text)` within a factor of `width` at 90 %, and measures `true_ms_of(text)`.

    Attributes:
        calls: how often it was asked for forecasts.
        measured: texts that were measured, in order.
    """

    def __init__(
        self,
        ms_of: Callable[[str], float],
        *,
        width: float = 1.2,
        true_ms_of: Callable[[str], float] | None = None,
        macs_of: Callable[[str], float] = len,
    ) -> None:
        self._ms_of, self._width, self._true, self._macs_of = ms_of, width, true_ms_of or ms_of, macs_of
        self.calls, self.measured, self.id = 0, list[str](), "t"

    def predict(self, networks: Iterable[Any], *, level: float = 0.9, **_options: Any) -> Any:
        self.calls += 1
        rows = [self._row(network) for network in listed(networks)]
        return forecasts_of_rows(rows, level=level, facts={})

    def _row(self, text: str) -> Any:
        if text == "bad":
            return InvalidArchitectureError("No such text.")
        if text in self.measured:
            return self._true(text), float("nan"), float("nan"), True, 1.0
        ms = self._ms_of(text)
        return ms, ms / self._width, ms * self._width, False, 1.0

    def work(self, texts: Sequence[str], *, space: str) -> dict[str, Any]:
        assert space
        return {name: column([float(self._macs_of(text)) for text in texts]) for name in WORK}

    def measure(self, texts: Sequence[str], *, space: str, timeout_s: float) -> list[Any]:
        assert timeout_s > 0
        return self.ask_for(texts, space=space)

    def ask_for(self, texts: Sequence[str], *, space: str) -> list[Any]:
        assert space
        self.measured += texts
        return [{"id": text} for text in texts]
