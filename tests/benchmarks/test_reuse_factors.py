"""Random bodies as three networks that compute the same work; values that the fit chose are those in use."""

import numpy as np
import onnxruntime
import pytest

from benchmarks import reuse_factors
from predictors.kinds.kernel_sum import warm
from profilers.onnx_graph import load_graph

BODY = {"columns": 40, "rows": 2, "trips": 5, "products": 2, "after": ["Tanh", "Add", "Relu"]}


def run(content: bytes) -> np.ndarray:
    session = onnxruntime.InferenceSession(content, providers=["CPUExecutionProvider"])
    (result,) = session.run(None, {"x": np.random.default_rng(0).normal(size=(2, 40)).astype(np.float32)})
    return np.asarray(result)


def test_a_loop_computes_what_the_steps_with_one_matrix_do() -> None:
    shared, loop = (run(reuse_factors.network(BODY, form)) for form in ("shared", "loop"))
    assert loop == pytest.approx(shared, rel=1e-5, abs=1e-6)


def test_all_forms_have_the_same_work_and_other_parameters() -> None:
    graphs = {form: load_graph(reuse_factors.network(BODY, form)) for form in reuse_factors.FORMS}
    assert {graph.macs for graph in graphs.values()} == {5 * 2 * 2 * 40 * 40}
    assert [graphs[form].parameters["float32"] for form in reuse_factors.FORMS] == [5 * 1600, 1600, 1600]


def test_bodies_differ_and_stay_small() -> None:
    rng = np.random.default_rng(0)
    bodies = [reuse_factors.body_of(rng) for _ in range(20)]
    assert len({body["columns"] for body in bodies}) > 10
    assert all(body["trips"] * body["columns"] ** 2 * 4 < 6e7 for body in bodies)


def test_factors_in_use_are_on_the_grid() -> None:
    assert all(getattr(warm, name) in values for name, values in reuse_factors.GRID.items())


def test_long_loops_whose_states_decay_are_left_out() -> None:
    assert reuse_factors._decays("loop/op=Loop,body=elementwise,trips=56,rows=52,columns=313")
    assert not reuse_factors._decays("loop/op=Scan,body=elementwise,trips=56,rows=52,columns=313")
    assert not reuse_factors._decays("loop/op=Loop,body=linear,trips=56,rows=52,columns=313")
