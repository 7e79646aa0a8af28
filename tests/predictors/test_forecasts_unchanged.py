"""Forecasts are those of version 0.1, to nine digits.

`tests/data/forecasts_0_1.json` has three parts: `inputs` says what is asked, `forecasts` what version 0.1 answered, by
section and case, and `arithmetic` which libraries and instruction sets computed the answers. Where shipped artifacts
are trained anew, or forecasts are meant to change, `python -m tests.predictors.test_forecasts_unchanged` computes
`forecasts` and `arithmetic` again, for the same `inputs`.
"""

import json
import re
from collections.abc import Callable, Sequence
from dataclasses import astuple, replace
from functools import cache
from importlib.metadata import version
from pathlib import Path
from typing import Any
from zlib import crc32

import numpy as np
import pytest
from threadpoolctl import threadpool_info, threadpool_limits

from latcast.schema import Architecture, DeviceEvidence, Graph, KernelTiming, Node, Target, from_plain
from predictors.artifact import Artifact
from predictors.base import LatencyDataset, Prediction, Predictor, Query
from predictors.explanation import cost_profile, explain, measure_next, profile_distance
from predictors.features.kernels import CLASSES
from predictors.inference.linear_effects import LinearEffects
from predictors.kinds.boosted_trees.predictor import BoostedTreesPredictor
from predictors.kinds.flops import FlopsPredictor
from predictors.kinds.kernel_sum import KernelSumPredictor
from predictors.kinds.kernel_sum.multipliers import Multipliers
from predictors.kinds.kernel_sum.sums import Kernels, Labels
from predictors.kinds.lookup_table import LookupTablePredictor
from predictors.kinds.universal import UniversalPredictor
from predictors.onnx_forecaster import ModelForecaster
from predictors.registry import load_predictor, pretrained
from predictors.samplers.variance import VarianceSampler
from predictors.testing.architectures import architecture_workload
from predictors.testing.devices import DEVICES, NEW_DEVICE, measure
from predictors.testing.graphs import foreign_graph, random_graph
from profilers.onnx_graph import load_graph
from profilers.search_spaces import get_space

RECORD = Path(__file__).parents[1] / "data" / "forecasts_0_1.json"
INPUTS = json.loads(RECORD.read_text())["inputs"]
SAME_ARITHMETIC, OTHER_ARITHMETIC = 1e-9, 1e-3
"""Relative tolerances. Last digits depend on the instruction set, those of single precision most; fits enlarge them."""

BOARD, MAIN, OPENVINO, FOREIGN = "board", "onnxruntime", "openvino", "foreign"
"""Targets: one that training has not seen on a runtime that it has, two of training, one of an unknown runtime."""


# What is asked -------------------------------------------------------------------------------------------------------


def target(name: str) -> Target:
    return from_plain(Target, INPUTS["targets"][name])


@cache
def graph(space: str, text: str) -> Graph:
    return load_graph(model(space, text))


def model(space: str, text: str) -> bytes:
    return get_space(space).to_onnx(Architecture(space=space, text=text))


def asked(name: str) -> list[Query]:
    """Every graph of the record, on the target of that name."""
    texts = [(space, text) for space, found in INPUTS["graphs"].items() for text in found]
    return [Query(target=target(name), graph=graph(*text)) for text in texts]


def cells(space: str, part: str, on: Target) -> list[Query]:
    return [
        Query(target=on, architecture=Architecture(space=space, text=text)) for text in INPUTS["cells"][space][part]
    ]


def told(predictor: Predictor, queries: Sequence[Query]) -> dict[str, Any]:
    return spread(predictor.predict(queries)) | {"coverage": predictor.coverage(queries).tolist()}


def spread(prediction: Prediction) -> dict[str, Any]:
    log_std = None if prediction.log_std is None else prediction.log_std.tolist()
    return {"median_ms": prediction.median_ms.tolist(), "log_std": log_std, "tail_scale": prediction.tail_scale}


def stored(predictor: Predictor) -> Predictor:
    """The predictor that its artifact brings back."""
    return load_predictor(Artifact.from_bytes(predictor.to_artifact().to_bytes()))


# What was measured ---------------------------------------------------------------------------------------------------


def node_ms(node: Node) -> float:
    moved = node.parameter_bytes + node.input_bytes + node.output_bytes
    return 0.002 + node.macs / 2e7 + node.flops / 5e8 + moved / 6e6


def ripple(index: int) -> float:
    """What a measurement differs by from its formula: within five percent."""
    return 1 + 0.05 * float(np.sin(7 * index + 1))


def timing(of: Graph, index: int, share: float) -> KernelTiming:
    node = of.nodes[index]
    return KernelTiming(
        operator=node.operator,
        share=share,
        time_ms=1.1 * node_ms(node),
        node=index,
        input_shapes=tuple(of.tensors[i].shape or () for i in node.inputs if i >= 0),
        output_shapes=tuple(of.tensors[i].shape or () for i in node.outputs if i >= 0),
        dtype=of.tensors[node.outputs[0]].dtype,
    )


def measured(name: str, *, timed: bool = False, rows: Sequence[int] = range(10)) -> LatencyDataset:
    """These rows of the support; latencies and kernels' times follow from the nodes' work."""
    queries = [Query(target=target(name), graph=graph("zoo", INPUTS["support"][row])) for row in rows]
    times = [[node_ms(node) for node in query.graph.nodes] for query in queries]
    latency_ms = [(0.02 + sum(each)) * ripple(row) for row, each in zip(rows, times, strict=True)]
    kernels = [
        tuple(timing(query.graph, index, own / sum(each)) for index, own in enumerate(each))
        for query, each in zip(queries, times, strict=True)
    ]
    return LatencyDataset(queries=queries, latency_ms=np.array(latency_ms), kernels=kernels if timed else None)


def cell_ms(text: str) -> float:
    """A sum over what stands at each place."""
    parts = list(enumerate(filter(None, re.split(r"[|+]", text))))
    return sum(0.2 + crc32(f"{place} {part}".encode()) % 1000 / 1000 for place, part in parts)


def measured_cells(space: str, on: Target, count: int | None = None) -> LatencyDataset:
    """The first rows of the support, or all: of NAS-Bench-201 the last one is degenerate."""
    texts = INPUTS["cells"][space]["support"][:count]
    latency_ms = [cell_ms(text) * ripple(row) for row, text in enumerate(texts)]
    return LatencyDataset(queries=cells(space, "support", on)[:count], latency_ms=np.array(latency_ms))


# Shipped predictors --------------------------------------------------------------------------------------------------


@cache
def base() -> Predictor:
    return pretrained("universal-graphs")


@cache
def adapted(name: str, timed: bool, evidence: bool) -> Predictor:
    known = DeviceEvidence(microbench=INPUTS["microbench"]) if evidence else None
    return base().adapt(target(name), measured(name, timed=timed), known)


def graphs_before_measurements() -> dict[str, Any]:
    return {name: told(base(), asked(name)) for name in INPUTS["targets"]}


def graphs_after_measurements() -> dict[str, Any]:
    said = {True: "with", False: "without"}
    return {
        f"{name}, {said[timed]} kernels, {said[evidence]} microbenchmarks": spread(
            adapted(name, timed, evidence).predict(asked(name))
        )
        for name in (BOARD, MAIN, OPENVINO, FOREIGN)
        for timed in (False, True)
        for evidence in (False, True)
    }


def graphs_after_unusual_measurements() -> dict[str, Any]:
    as_trained = measured(MAIN, timed=True)
    wave = np.array([ripple(row) for row in range(len(as_trained))])
    as_trained = replace(as_trained, latency_ms=base().predict(as_trained.queries).median_ms * wave)
    first, second = (measured(BOARD, timed=True, rows=rows) for rows in (range(5), range(5, 10)))
    found = {
        "as fast as in training": base().adapt(target(MAIN), as_trained),
        "one row": base().adapt(target(BOARD), measured(BOARD, rows=[3])),
        "three rows with kernels": base().adapt(target(BOARD), measured(BOARD, timed=True, rows=[1, 4, 8])),
        "two times": base().adapt(target(BOARD), first).adapt(target(BOARD), second),
        "stored": stored(adapted(BOARD, True, True)),
        "another target": adapted(FOREIGN, True, False),
    }
    asked_on = {"as fast as in training": MAIN, "another target": OPENVINO}
    return {case: spread(one.predict(asked(asked_on.get(case, BOARD))[::2])) for case, one in found.items()}


def explanations() -> dict[str, Any]:
    return {
        f"{name} {text.partition('/')[0]}": explanation(predictor, Query(target=target(name), graph=graph("zoo", text)))
        for name, predictor in ((MAIN, base()), (OPENVINO, base()), (BOARD, adapted(BOARD, True, False)))
        for text in INPUTS["explained"]
    }


def explanation(predictor: Predictor, query: Query) -> dict[str, Any]:
    found = explain(predictor, query)
    return {
        "whole": [found.latency_ms, found.interval_ms, found.coverage, found.unknown_operators],
        "peaks": astuple(found.peaks),
        "kernels": [astuple(kernel) for kernel in found.kernels[:10]],
        "count": len(found.kernels),
        **{name: found.shares(name) for name in ("kind", "bound")},
    }


def choices() -> dict[str, Any]:
    """What to measure next, how alike graphs are, and what is not known of one."""
    queries = asked(BOARD)[:12]
    strange = Query(target=target(BOARD), graph=foreign_graph(0.4))
    features = base().adaptation_features(queries)
    profiles = [cost_profile(base(), query) for query in queries[:3]]
    return {
        "covariances": (features @ features.T).tolist(),
        "most useful": measure_next(base(), queries[0], queries[1:], queries[5:7]),
        "sampled": list(VarianceSampler().choose(queries, 5, predictor=base(), rng=np.random.default_rng(0))),
        "distances": [profile_distance(profiles[0], other) for other in profiles[1:]],
        "unknown": told(base(), [strange]) | {"operators": base().unknown_operators(strange)},
    }


def models() -> dict[str, Any]:
    forecaster = ModelForecaster(adapted(BOARD, False, False), target(BOARD), _Loader(), level=0.8)
    return {text: astuple(forecaster.forecast(model("zoo", text))) for text in INPUTS["explained"]}


class _Loader:
    def load(self, data: bytes, *, shapes: Any = None, dims: Any = None) -> Graph:
        return load_graph(data, shapes=shapes, dims=dims)


# Cells ---------------------------------------------------------------------------------------------------------------


def shipped_cells(space: str) -> dict[str, Any]:
    predictor = pretrained(f"universal-{space}")
    assert isinstance(predictor, UniversalPredictor)
    found = {f"before, {name}": told(predictor, cells(space, "asked", on)) for name, on in cell_targets(space).items()}
    return found | after_cells(predictor, space)


def cell_targets(space: str) -> dict[str, Target]:
    targets = INPUTS["cells"][space]["targets"]
    return {name: from_plain(Target, plain) for name, plain in targets.items()}


def after_cells(predictor: UniversalPredictor, space: str) -> dict[str, Any]:
    """Adapted with ten and with three rows, with rows in whole milliseconds, and as ablations adapt."""
    on = Target(device="board", backend="imported")
    support, every, queries = measured_cells(space, on, 10), measured_cells(space, on), cells(space, "asked", on)
    whole_ms = replace(every, latency_ms=np.round(10 * every.latency_ms))
    artifact = predictor.to_artifact()
    without = {
        name: UniversalPredictor.from_artifact(
            replace(artifact, hyperparameters={**artifact.hyperparameters, name: False})
        )
        for name in ("transfer", "variance")
    }
    candidates = cells(space, "support", on)
    chosen = VarianceSampler().choose(candidates, 4, predictor=predictor, rng=np.random.default_rng(0))
    return {
        "ten rows": told(predictor.adapt(on, support), queries),
        "three rows": told(predictor.adapt(on, measured_cells(space, on, 3)), queries),
        "whole milliseconds": told(predictor.adapt(on, whole_ms), queries),
        "stored": told(stored(predictor.adapt(on, support)), queries),
        **{f"without {name}": told(one.adapt(on, support), queries) for name, one in without.items()},
        "sampled": list(chosen),
    }


def trained_cells(predictor: Predictor, space: str) -> dict[str, Any]:
    """Fitted on a small synthetic table, and adapted to its new device."""
    data = architecture_workload(space, train=60, held_out=40)
    new, queries = data.support.queries[0].target, data.new_held_out.queries[:20]
    fitted = predictor.fit(data.train)
    known = told(fitted, data.held_out.queries[:20])
    return {
        "known device": known,
        "new device": told(fitted, queries),
        "ten rows": told(fitted.adapt(new, data.support.subset(range(10)), data.support.evidence.get(new.id)), queries),
    }


# Predictors fitted on synthetic graphs -------------------------------------------------------------------------------


@cache
def synthetic() -> tuple[LatencyDataset, LatencyDataset, LatencyDataset]:
    """Rows to learn from, rows of a new device to adapt with, and its rows to ask about."""
    rng = np.random.default_rng(5)
    graphs = [random_graph(rng) for _ in range(90)]
    parts = ((graphs[:60], DEVICES[:2]), (graphs[60:70], [NEW_DEVICE]), (graphs[70:], [NEW_DEVICE]))
    learn, adapt, ask = (measure(part, devices, rng) for part, devices in parts)
    return learn, adapt, ask


def trained_graphs(predictor: Predictor, *, timed: bool = True) -> dict[str, Any]:
    learn, support, ask = (rows if timed else replace(rows, kernels=None) for rows in synthetic())
    new = support.queries[0].target
    fitted = predictor.fit(learn)
    after = fitted.adapt(new, support)
    known = [Query(target=DEVICES[1].target, graph=query.graph) for query in ask.queries]
    return {
        "known device": told(fitted, known),
        "new device": told(fitted, ask.queries),
        "ten rows": told(after, ask.queries),
        "known device, slower": told(fitted.adapt(known[0].target, on(support, known[0].target)), known),
        "stored": told(stored(after), ask.queries),
    }


def on(data: LatencyDataset, where: Target) -> LatencyDataset:
    """The same rows, said to be of that target."""
    return replace(data, queries=[Query(target=where, graph=query.graph) for query in data.queries])


def tiny_universal() -> dict[str, Any]:
    pytest.importorskip("torch")
    return trained_graphs(UniversalPredictor(width=8, epochs=3, trees=40, folds=2))


# What differs between targets, without any predictor around it -------------------------------------------------------


def linear_effects() -> dict[str, Any]:
    rng = np.random.default_rng(1)
    weights = np.array([1.0, 0.8, -0.2]) + rng.standard_normal((6, 3)) * [1.0, 0.1, 0.1]
    x = np.column_stack([np.ones(240), rng.standard_normal((240, 2))])
    y = (x * np.repeat(weights, 40, axis=0)).sum(axis=1) + 0.1 * rng.standard_t(4, 240)
    names = [f"t{index // 40}" for index in range(240)]
    groups = [str(index % 60) for index in range(240)]
    fitted = LinearEffects.fit_calibrated(x, y, names, groups, scale=(2.0, 0.3, 0.3), folds=4, seed=0)
    after = fitted.adapted(x[:8], y[:8] + 2, "new").adapted(x[40:45], y[40:45] + 0.5, "t1")
    rows, owners = x[::12], ["t0", "t1", "new", "nobody"] * 5
    return {
        "fitted": spread(fitted.predict(rows, owners)),
        "adapted": spread(after.predict(rows, owners, extra_variance=np.full(20, 0.01))),
        "features": fitted.features(rows[:5]).tolist(),
    }


def multipliers() -> dict[str, Any]:
    rng = np.random.default_rng(2)
    parts = {name: labelled(rng, factor) for name, factor in (("a", 1.0), ("b", 3.0), ("c", 0.4))}
    fitted = Multipliers.guessed(tilts=2).learned(parts, min_kernels=2)
    new, latency_only = labelled(rng, 6.0), labelled(rng, 5.0)
    latency_only[1].kernel_time[:] = np.nan
    after = fitted.adapted(*new, "new", expected=[fitted.effects.mean + 0.1]).adapted(*latency_only, "a")
    kernels = labelled(rng, 1.0)[0]
    return {
        f"{state}, {name}": [column.tolist() for column in one.forecast(kernels, one.effects.of(name))]
        + [one.effects.of(name).tail_scale]
        for state, one in (("fitted", fitted), ("adapted", after))
        for name in ("a", "b", "new")
    }


def labelled(rng: np.random.Generator, factor: float) -> tuple[Kernels, Labels]:
    """Twelve graphs of four kernels of two classes, on a device slower by the factor, by more for convolutions."""
    kinds = np.tile([CLASSES.index(name) for name in ("conv", "gemm", "gemm", "conv")], 12)
    kernels = Kernels(
        log_time=rng.normal(0, 1, 48),
        kinds=kinds,
        tilt=rng.uniform(-1, 1, (48, 2)),
        rows=np.repeat(np.arange(12), 4),
        count=12,
        unknown_variance=np.zeros(48),
    )
    own = factor * np.where(kinds == CLASSES.index("conv"), 1.4, 1.0) * np.exp(0.3 * kernels.tilt[:, 0])
    times = np.exp(kernels.log_time + 0.1 * rng.standard_normal(48)) * own
    return kernels, Labels(latency=kernels.totals(times) * 1.02, kernel_time=times)


# Comparing and recording ---------------------------------------------------------------------------------------------

SECTIONS: dict[str, Callable[[], dict[str, Any]]] = {
    "graphs before measurements": graphs_before_measurements,
    "graphs after measurements": graphs_after_measurements,
    "graphs after unusual measurements": graphs_after_unusual_measurements,
    "explanations": explanations,
    "choices": choices,
    "models": models,
    "shipped, nasbench201": lambda: shipped_cells("nasbench201"),
    "shipped, fbnet": lambda: shipped_cells("fbnet"),
    "universal, nasbench201": lambda: trained_cells(UniversalPredictor(), "nasbench201"),
    "universal, fbnet": lambda: trained_cells(UniversalPredictor(), "fbnet"),
    "lookup_table, fbnet": lambda: trained_cells(LookupTablePredictor(), "fbnet"),
    "boosted_trees, fbnet": lambda: trained_cells(BoostedTreesPredictor(trees=20), "fbnet"),
    "flops": lambda: trained_graphs(FlopsPredictor()),
    "boosted_trees": lambda: trained_graphs(BoostedTreesPredictor(trees=20)),
    "kernel_sum": lambda: trained_graphs(KernelSumPredictor(trees=20, folds=2)),
    "kernel_sum without kernels": lambda: trained_graphs(KernelSumPredictor(trees=20, folds=2), timed=False),
    "universal": tiny_universal,
    "hierarchy": linear_effects,
    "multipliers": multipliers,
}
"""What is recorded, by name."""


LIBRARIES = ("numpy", "scipy", "lightgbm")
SAME_ARITHMETIC_ONLY = {"boosted_trees", "universal"}
"""Sections in which training turns other last digits into other trees, or into other networks."""


@pytest.mark.slow
@pytest.mark.parametrize("section", SECTIONS)
def test_forecasts_are_those_of_version_0_1(section: str) -> None:
    recorded = json.loads(RECORD.read_text())
    same = recorded["arithmetic"] == arithmetic()
    if section in SAME_ARITHMETIC_ONLY and not same:
        pytest.skip("The libraries or the instruction set are others than those of the record.")
    tolerance = SAME_ARITHMETIC if same else OTHER_ARITHMETIC
    assert differences(answers(section), recorded["forecasts"][section], tolerance) == []


def answers(section: str) -> dict[str, Any]:
    """Of the present version. On one thread: how libraries split a sum among threads changes its last digits."""
    with threadpool_limits(limits=1):
        return plain(SECTIONS[section]())


def plain(value: Any) -> Any:
    """As JSON has it."""
    return json.loads(json.dumps(value))


def differences(found: Any, expected: Any, tolerance: float, place: str = "") -> list[str]:
    """Where two records differ by more than the tolerance, and how."""
    if isinstance(expected, dict) and isinstance(found, dict) and found.keys() == expected.keys():
        parts = [(found[name], expected[name], f"{place}/{name}") for name in expected]
    elif isinstance(expected, list) and isinstance(found, list) and len(found) == len(expected):
        parts = [(*pair, f"{place}[{index}]") for index, pair in enumerate(zip(found, expected, strict=True))]
    elif isinstance(expected, float) and isinstance(found, float):
        return [] if np.isclose(found, expected, rtol=tolerance, atol=1e-12) else [f"{place}: {found} ≠ {expected}"]
    else:
        return [] if found == expected else [f"{place}: {found} ≠ {expected}"]
    return [line for part in parts for line in differences(*part[:2], tolerance, part[2])]


def arithmetic() -> dict[str, Any]:
    """What the last digits depend on."""
    simd = np.show_config(mode="dicts")["SIMD Extensions"]
    blas = sorted({(one["version"], one["architecture"]) for one in threadpool_info() if "architecture" in one})
    return plain({"libraries": {name: version(name) for name in LIBRARIES}, "simd": simd, "blas": blas})


def record() -> None:
    """Replace the answers of `tests/data/forecasts_0_1.json` by those of the present version."""
    forecasts = {section: answers(section) for section in SECTIONS}
    parts = {"inputs": INPUTS, "arithmetic": arithmetic(), "forecasts": forecasts}
    RECORD.write_text("{\n" + ",\n".join(f'"{name}": {text_of(part)}' for name, part in parts.items()) + "\n}\n")


def text_of(part: dict[str, Any]) -> str:
    """JSON with a line for each entry of the first two levels."""
    return "{\n" + ",\n".join(f" {json.dumps(name)}: {lines_of(value)}" for name, value in part.items()) + "\n}"


def lines_of(value: Any) -> str:
    if not isinstance(value, dict):
        return json.dumps(value)
    return "{\n" + ",\n".join(f"  {json.dumps(name)}: {json.dumps(each)}" for name, each in value.items()) + "\n }"


if __name__ == "__main__":
    record()
