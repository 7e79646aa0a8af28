"""Held-out families and targets are not in training, and their networks alone are judged."""

import math
from dataclasses import replace

import numpy as np
import pytest

from latcast.schema import Architecture, InputError
from predictors.base import LatencyDataset, Query
from predictors.data.measured import MeasuredRow
from predictors.evaluation.onnx import HOLDOUTS, Draw, Holdout, holdouts, judge, repeated
from predictors.kinds.flops import FlopsPredictor
from predictors.testing.devices import DEVICES, measure
from predictors.testing.graphs import random_graph


@pytest.fixture(scope="module")
def data():
    rng = np.random.default_rng(3)
    rows = measure([random_graph(rng) for _ in range(60)], DEVICES, rng)
    names = [("zoo", "mobile/x"), ("zoo", "plain/x"), ("kernels", "conv/in=8"), ("zoo", "dense/x")]
    return replace(
        rows,
        queries=[
            Query(target=query.target, graph=query.graph, architecture=Architecture(space=space, text=f"{text}{index}"))
            for index, query in enumerate(rows.queries)
            for space, text in [names[index % 4]]
        ],
    )


def _in_training(monkeypatch):
    """Targets and texts of what is trained on."""
    rows_fitted = []
    fit = FlopsPredictor.fit

    def watched(self, rows: LatencyDataset, **more):
        rows_fitted.extend((query.target.id, query.architecture.text) for query in rows.queries)
        return fit(self, rows, **more)

    monkeypatch.setattr(FlopsPredictor, "fit", watched)
    return rows_fitted


def test_a_family_is_hidden_on_all_targets(monkeypatch, data):
    trained = _in_training(monkeypatch)
    parts = HOLDOUTS["families"](data)
    assert [part.name for part in parts] == ["dense", "mobile", "plain"]
    written = judge(data, parts[1], FlopsPredictor(), Draw(sampler="random", shots=5, seeds=2))
    assert not any(text.startswith("mobile") for _, text in trained)
    assert {target for target, _ in trained} == set(data.targets())
    assert written["models"]
    assert all("mobile" in model["name"] for model in written["models"])
    assert 0 < written["median_ape"] < math.inf


def test_an_operator_is_hidden_with_every_graph_that_has_it(monkeypatch, data):
    trained = _in_training(monkeypatch)
    monkeypatch.setattr(holdouts, "_COMMONEST", 0.9)
    parts = HOLDOUTS["operators"](data)
    assert 0 < len(parts) <= 20
    having = {part.name: {data.queries[row].architecture.text for row in part.hidden} for part in parts}
    networks = [query for query in data.queries if query.architecture.space == "zoo"]
    for part in parts:
        with_it = [query for query in data.queries if any(node.operator == part.name for node in query.graph.nodes)]
        assert having[part.name] == {query.architecture.text for query in with_it}
        assert sum(query in with_it for query in networks) <= 0.9 * len(networks)
    part = next(part for part in parts if max(map(len, part.judged.values()), default=0) >= 2 + 5)
    written = judge(data, part, FlopsPredictor(), Draw(sampler="random", shots=2, seeds=1))
    assert having[part.name].isdisjoint(text for _, text in trained)
    assert written["models"]
    little = [model for model in written["models"] if model["known_share"] < 0.7]
    assert (written["coverage_90_little_known"] is None) == (not little or written["coverage_90"] is None)


def test_all_targets_of_a_backend_and_precision_are_hidden(monkeypatch, data):
    trained = _in_training(monkeypatch)
    first = data.queries[0].target
    queries = [
        Query(target=replace(q.target, backend="other"), graph=q.graph, architecture=q.architecture)
        if q.target == first
        else q
        for q in data.queries
    ]
    mixed = replace(data, queries=queries)
    parts = {part.name: part for part in HOLDOUTS["targets"](mixed)}
    assert len(parts) == 2
    written = judge(mixed, parts["other fp32"], FlopsPredictor(), Draw(sampler="variance", shots=10, seeds=1))
    assert replace(first, backend="other").id not in {target for target, _ in trained}
    assert not any("kernels/" in model["name"] for model in written["models"])
    alone = replace(data, queries=[Query(target=first, graph=q.graph) for q in data.queries])
    with pytest.raises(InputError, match="no rows to train on"):
        judge(alone, HOLDOUTS["targets"](alone)[0], FlopsPredictor(), Draw(sampler="random", shots=5, seeds=1))


def test_repetitions_are_those_of_the_judged_networks_by_careful_rows_first():
    def row(graph, ms, method="quick", repeat=0):
        return MeasuredRow(space="zoo", text="x", graph=graph, target="t", method=method, repeat=repeat, latency_ms=ms)

    pooled = [row("a", 1.0), row("b", 1.0)]
    holdout = Holdout(name="x", hidden=np.array([1]), judged={"t": np.array([1])})
    quick = [row("a", 1.0), row("a", 9.0, repeat=1), row("b", 1.0), row("b", 3.0, repeat=1)]
    assert repeated(quick, pooled, holdout) == [1.0]
    careful = [row("b", 1.0, "careful"), row("b", 1.0, "careful", 1)]
    assert repeated([*quick, *careful], pooled, holdout) == [0.0]


def test_a_host_is_hidden_with_all_its_targets(monkeypatch, data):
    trained = _in_training(monkeypatch)
    parts = HOLDOUTS["hosts"](data)
    machines = {query.target.device for query in data.queries}
    assert len(parts) == len(machines) > 1
    written = judge(data, parts[0], FlopsPredictor(), Draw(sampler="random", shots=5, seeds=1))
    hidden = {query.target.id for query in data.queries if query.target.device.startswith(parts[0].name)}
    assert hidden
    assert not hidden & {target for target, _ in trained}
    assert written["models"]


def test_one_machine_cannot_be_left_out(data):
    first = data.queries[0].target.device
    alone = data.subset(np.flatnonzero([query.target.device == first for query in data.queries]))
    with pytest.raises(InputError, match="one machine: to leave a host out, pack campaigns of at least two"):
        HOLDOUTS["hosts"](alone)
