"""Fits what kernels save that were run before in the same run (`predictors/kinds/kernel_sum/warm.py`).

    python -m benchmarks.reuse_factors --measure triples.npz      # builds and measures random bodies on this machine
    python -m benchmarks.reuse_factors --fit triples.npz          # minutes, without measuring

A random body (products with a square matrix, then element-wise operators) becomes three networks: steps with a matrix
each, steps with one matrix, and a Loop. Latencies are first deciles of runs taken in turns, so that a busy machine
disturbs all three alike. The shipped predictor is adapted to the steps with a matrix each, of which nothing is read
again: to the machine at that hour. The factors are fitted to the least absolute log error over the other two forms and
the loops of the data set; five folds say what they are worth on bodies that the fit has not seen.
"""

import argparse
import itertools
import json
import time
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import onnx
from numpy.typing import NDArray
from onnx import TensorProto, helper, numpy_helper

from predictors.base import LatencyDataset, Query
from predictors.features.kernels import KernelTable

FORMS = ("own", "shared", "loop")
GRID = {
    "_TINY_FACTOR": (0.5, 0.7, 0.8, 0.9, 1.0),
    "_READING_FACTOR": (0.3, 0.4, 0.5, 0.65, 1.0),
    "_TINY_OPERATIONS": (1000.0, 2000.0),
    "_BOUND_BY_READING": (0.25, 0.5, 1.0),
    "_NEAR_BYTES": (2.0 * 2**20, 4.0 * 2**20, 6.0 * 2**20, 8.0 * 2**20),
}
_ELEMENT_WISE = ("Tanh", "Sigmoid", "Relu", "Add", "Mul")
_SECONDS, _FOLDS, _DECAYING = 0.5, 5, 9000
"""The last: elements from which long Loops of the data set's element-wise bodies are left out; their states decay."""


def body_of(rng: np.random.Generator) -> dict[str, Any]:
    """A random body: columns and rows of its state, trips, products and element-wise operators."""
    while True:
        body = {
            "columns": int(2 ** rng.uniform(4.5, 9.6)), "rows": int(rng.choice([1, 1, 1, 2, 4, 16, 64])),
            "trips": int(2 ** rng.uniform(2.5, 6.5)), "products": int(rng.choice([1, 1, 1, 2])),
            "after": [str(name) for name in rng.choice(_ELEMENT_WISE, rng.integers(0, 7))],
        }  # fmt: skip
        weights = body["trips"] * body["columns"] ** 2
        if weights * 4 < 6e7 and weights * body["rows"] * body["products"] < 1.2e8:
            return body


def network(body: dict[str, Any], form: str) -> bytes:
    """The body as one of `FORMS`."""
    columns, rows, trips = body["columns"], body["rows"], body["trips"]
    rng, state = np.random.default_rng(0), [rows, columns]
    matrices = [
        numpy_helper.from_array((rng.normal(size=(columns, columns)) * columns**-0.5).astype(np.float32), f"w{place}")
        for place in range(trips if form == "own" else 1)
    ]
    if form == "loop":
        nodes, last = _steps(body, "state", "w0", "")
        nodes.append(helper.make_node("Identity", ["go"], ["go_on"]))
        inputs = [_value("trip", [], TensorProto.INT64), _value("go", [], TensorProto.BOOL), _value("state", state)]
        inner = helper.make_graph(nodes, "body", inputs, [_value("go_on", [], TensorProto.BOOL), _value(last, state)])
        matrices.append(numpy_helper.from_array(np.array(trips, np.int64), "trips"))
        nodes, last = [helper.make_node("Loop", ["trips", "", "x"], ["y"], body=inner)], "y"
    else:
        nodes, last = [], "x"
        for trip in range(trips):
            more, last = _steps(body, last, f"w{trip if form == 'own' else 0}", f"{trip}_")
            nodes += more
    graph = helper.make_graph(nodes, form, [_value("x", state)], [_value(last, state)], matrices)
    return helper.make_model(graph, opset_imports=[helper.make_opsetid("", 17)], ir_version=8).SerializeToString()


def _steps(body: dict[str, Any], state: str, matrix: str, prefix: str) -> tuple[list[onnx.NodeProto], str]:
    nodes = []
    for place, operator in enumerate([*["MatMul"] * body["products"], *body["after"]]):
        inputs = [state, matrix] if operator == "MatMul" else [state] * (2 if operator in {"Add", "Mul"} else 1)
        state = f"{prefix}{place}"
        nodes.append(helper.make_node(operator, inputs, [state]))
    return nodes, state


def _value(name: str, shape: list[int], dtype: int = TensorProto.FLOAT) -> onnx.ValueInfoProto:
    return helper.make_tensor_value_info(name, dtype, shape)


def measured(body: dict[str, Any]) -> list[float]:
    """First decile of each form's latency in ms; each runs twice in its turn, and the second run counts."""
    import onnxruntime

    options = onnxruntime.SessionOptions()
    options.intra_op_num_threads, options.log_severity_level = 1, 4
    providers = ["CPUExecutionProvider"]
    sessions = [onnxruntime.InferenceSession(network(body, form), options, providers=providers) for form in FORMS]
    x = np.random.default_rng(1).normal(size=(body["rows"], body["columns"])).astype(np.float32)
    samples: list[list[float]] = [[] for _ in FORMS]
    begun = time.perf_counter()
    while len(samples[0]) < 12 or (time.perf_counter() - begun < _SECONDS and len(samples[0]) < 300):
        for session, taken in zip(sessions, samples, strict=True):
            session.run(None, {"x": x})
            start = time.perf_counter()
            session.run(None, {"x": x})
            taken.append(1e3 * (time.perf_counter() - start))
    return [float(np.quantile(taken, 0.1)) for taken in samples]


def _fit(triples: Path, data: Path) -> None:
    from predictors.kinds.kernel_sum import warm
    from predictors.registry import pretrained
    from profilers.onnx_graph import load_graph

    stored = np.load(triples)
    bodies = [json.loads(str(text)) for text in stored["bodies"]]
    base = pretrained("universal-graphs")
    loops, loop_ms = _loops(data)
    target = replace(loops[0].target, device="0" * 32)  # like that of the data set, on a machine of its own
    built = [Query(target=target, graph=load_graph(network(body, form))) for body in bodies for form in FORMS]
    own_ms = stored["latency_ms"][:, FORMS.index("own")]
    adapted = base.adapt(target, LatencyDataset(queries=built[:: len(FORMS)], latency_ms=own_ms))
    latency = np.concatenate([stored["latency_ms"].reshape(-1), loop_ms])
    forms = np.array([*FORMS * len(bodies), *["data set"] * len(loops)])
    groups = np.concatenate([np.repeat(np.arange(len(bodies)), len(FORMS)), len(bodies) + np.arange(len(loops))])
    weights = sum((forms == form) / np.sum(forms == form) for form in ("shared", "loop", "data set"))
    choices = list(itertools.product(*GRID.values()))
    forecasts = np.empty((len(choices), len(latency)))
    parts = [*_kernels(adapted, built), *_kernels(base, loops)]
    before = {name: getattr(warm, name) for name in GRID}
    for index, choice in enumerate([*choices, tuple(before.values())]):
        for name, value in zip(GRID, choice, strict=True):
            setattr(warm, name, value)
        if index < len(choices):
            forecasts[index] = [float(np.sum(times * np.exp(warm.log_saved(table)))) for times, table in parts]
    errors = np.abs(np.log(forecasts / latency))
    best = int(np.argmin(errors @ weights))
    folds = np.random.default_rng(0).integers(0, _FOLDS, groups.max() + 1)[groups]
    chosen = [int(np.argmin(errors[:, folds != fold] @ weights[folds != fold])) for fold in range(_FOLDS)]
    left_out = np.array([forecasts[chosen[fold], place] for place, fold in enumerate(folds)])
    print(dict(zip(GRID, choices[best], strict=True)))
    for what, forecast in (("fitted", forecasts[best]), ("left out", left_out)):
        for form in (*FORMS, "data set"):
            ratio = (forecast / latency)[forms == form]
            print(f"{what:9} {form:9} median APE {np.median(np.abs(ratio - 1)):6.1%}, within 15 % "
                  f"{np.mean(np.abs(ratio - 1) < 0.15):4.0%}, median ratio {np.median(ratio):.3f}")  # fmt: skip


def _loops(data: Path) -> tuple[list[Query], NDArray[np.float64]]:
    """Loops of the data set on its main target, with their latencies in ms."""
    from benchmarks.base_training import MAIN_TARGET
    from predictors.data.measured import pooled_rows, read_rows, read_targets, to_dataset

    rows = [row for row in read_rows(data) if row.space == "kernels" and row.text.startswith("loop/")]
    dataset = to_dataset(pooled_rows(rows), read_targets(data))
    places = [
        place
        for place, query in enumerate(dataset.queries)
        if query.target.label.endswith(MAIN_TARGET)
        and not _decays(query.architecture.text if query.architecture else "")
    ]
    return [dataset.queries[place] for place in places], dataset.latency_ms[places]


def _decays(text: str) -> bool:
    values = dict(part.split("=") for part in text.partition("/")[2].split(","))
    large = int(values.get("rows", 1)) * int(values.get("columns", 1)) > _DECAYING
    return values.get("body") == "elementwise" and values.get("op") == "Loop" and large and int(values["trips"]) > 9


def _kernels(predictor: Any, queries: Sequence[Query]) -> list[tuple[NDArray[np.float64], KernelTable]]:
    """Times of each query's kernels without what is saved, scaled to its forecast, and their table."""
    from predictors.kinds.kernel_sum import warm

    parts = []
    for query, forecast in zip(queries, predictor.predict(queries).median_ms, strict=True):
        explained = predictor.explain(query)
        times = explained.latency_ms * (forecast / explained.latency_ms.sum())
        parts.append((times / np.exp(warm.log_saved(explained.table)), explained.table))
    return parts


def main() -> None:
    """Measure, or fit."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--measure", type=Path, metavar="OUT", help="measure random bodies into this file")
    parser.add_argument("--bodies", type=int, default=70, help="[70]")
    parser.add_argument("--fit", type=Path, metavar="IN", help="fit to what was measured")
    parser.add_argument("--data", type=Path, default=Path(__file__).parent / "data", help="[benchmarks/data]")
    arguments = parser.parse_args()
    if arguments.measure:
        rng = np.random.default_rng(7)
        bodies = [body_of(rng) for _ in range(arguments.bodies)]
        latency = np.array([measured(body) for body in bodies])
        np.savez(arguments.measure, bodies=[json.dumps(body) for body in bodies], latency_ms=latency)
    if arguments.fit:
        _fit(arguments.fit, arguments.data)


if __name__ == "__main__":
    main()
