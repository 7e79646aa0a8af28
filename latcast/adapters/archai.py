"""archai: an object with the methods of its `AsyncModelEvaluator`, whose models are forecast in one call. archai is not
imported: its searches call the methods by their names.
"""

from collections.abc import Callable
from typing import Any

from latcast.loops import RemoteTarget

__all__ = ["LatencyEvaluator"]


class LatencyEvaluator:
    """Collects the models that a search sends, and forecasts all of them when it fetches.

    Args:
        target: what `Client.target` gave.
        network_of: what is asked of a model, an `ArchaiModel`; by default its `arch`, a torch module.
        **options: of `RemoteTarget.predict`: `space` for texts, `inputs` for torch modules.
    """

    def __init__(
        self, target: RemoteTarget, network_of: Callable[[Any], Any] = lambda model: model.arch, **options: Any
    ) -> None:
        self._target, self._network_of, self._options = target, network_of, options
        self._sent: list[Any] = []

    def send(self, arch: Any, budget: float | None = None) -> None:
        """Take a model; nothing is asked yet."""
        self._sent.append(self._network_of(arch))

    def fetch_all(self) -> list[float | None]:
        """Latencies in ms of the models since the last call, in order; None for one that cannot be forecast.

        Raises:
            LatcastError: the target cannot be asked; the models are kept for the next call.
        """
        if not self._sent:
            return []
        forecasts = self._target.predict(self._sent, **self._options)
        self._sent = []
        values = enumerate(forecasts.latency_ms)
        return [None if place in forecasts.errors else float(value) for place, value in values]
