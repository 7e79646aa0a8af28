"""The methods of archai's `AsyncModelEvaluator`: what was sent is forecast in one call, in order."""

from types import SimpleNamespace

from latcast.adapters.archai import LatencyEvaluator
from tests.latcast.doubles import FakeTarget


def test_models_are_forecast_together_when_they_are_fetched() -> None:
    target = FakeTarget(float)
    evaluator = LatencyEvaluator(target, lambda model: model.archid, space="toy")  # type: ignore[arg-type]
    assert evaluator.fetch_all() == []
    for text in ("3", "bad", "1"):
        evaluator.send(SimpleNamespace(archid=text), budget=None)
    assert evaluator.fetch_all() == [3.0, None, 1.0]
    assert evaluator.fetch_all() == []
    assert target.calls == 1
