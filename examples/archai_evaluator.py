"""The evaluator that archai's searches take beside others, at work on models that only have their `archid`."""

from types import SimpleNamespace

from cells import SPACE, feasible, options, text_of

from latcast import Client
from latcast.adapters.archai import LatencyEvaluator

asked = options(__doc__)
with Client(asked.server) as client:
    evaluator = LatencyEvaluator(feasible(client, asked).target, lambda model: model.archid, space=SPACE)
    for operator in range(1, 5):
        evaluator.send(SimpleNamespace(arch=None, archid=text_of([operator] * 6)))
    for operator, latency_ms in zip(range(1, 5), evaluator.fetch_all(), strict=True):
        print(f"{text_of([operator] * 6)}  {latency_ms:7.2f} ms")
