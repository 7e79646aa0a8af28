"""What an artifact has beyond its base's brings it back to the bit."""

from random import Random
from typing import Any

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra.numpy import array_shapes, arrays

from latcast.schema import ArtifactError, Target
from predictors.artifact import Artifact
from predictors.artifact_difference import base_digest_of, completed, difference
from predictors.base import LatencyDataset, Query
from predictors.registry import load_predictor, pretrained
from profilers.onnx_graph import load_graph
from profilers.search_spaces import get_space

DIGEST = "ab" * 32


def artifact(**held: Any) -> Artifact:
    return Artifact(kind="k", hyperparameters={}, arrays=held, meta={"of": "everybody"})


TYPES: st.SearchStrategy[np.dtype[Any]] = st.sampled_from([np.dtype(name) for name in ("<f8", "<f2", "u1", "?")])
ARRAYS: st.SearchStrategy[Any] = TYPES.flatmap(lambda dtype: arrays(dtype, array_shapes(max_dims=3)))


@given(st.dictionaries(st.sampled_from("abc"), ARRAYS), st.dictionaries(st.sampled_from("abcd"), ARRAYS), st.randoms())
def test_any_two_artifacts(base: dict[str, Any], own: dict[str, Any], order: Random) -> None:
    many = {name: np.tile(array, (*[1] * (array.ndim - 1), 1100)) for name, array in base.items()}
    rows = {name: np.concatenate([array, ~array[:1]]) for name, array in many.items() if array.dtype == np.uint8}
    mixed = {
        f"more of {name}": array[order.sample(range(len(array)), len(array))]
        for name, array in rows.items()
        if array.ndim > 1
    }
    one, other = artifact(**many), artifact(**{**own, **many, **mixed})
    thin = difference(other, one, DIGEST)
    assert base_digest_of(thin) == (DIGEST if many else None)
    assert completed(Artifact.from_bytes(thin.to_bytes()), one).to_bytes() == other.to_bytes()


def test_what_differs_in_a_bit_is_kept() -> None:
    numbers = np.zeros(1000)
    other = numbers.copy()
    other[500] = -0.0
    thin = difference(artifact(numbers=other), artifact(numbers=numbers), DIGEST)
    assert base_digest_of(thin) is None
    assert np.signbit(completed(thin, artifact()).array("numbers")[500])


def test_another_base_is_refused() -> None:
    numbers = np.arange(1000.0).reshape(5, 200)
    more = np.concatenate([numbers[3:], -numbers[1:2], numbers[:3]])
    thin = difference(artifact(numbers=more), artifact(numbers=numbers), DIGEST)
    np.testing.assert_array_equal(thin.array("numbers"), -numbers[1:2])
    with pytest.raises(ArtifactError, match="lacks the array"):
        completed(thin, artifact())
    with pytest.raises(ArtifactError, match="does not fit"):
        completed(thin, artifact(numbers=np.zeros((5, 3))))
    with pytest.raises(ArtifactError, match="does not fit"):
        completed(thin, artifact(numbers=numbers[:4]))


def test_an_adaptation_of_the_shipped_base_takes_an_eighth_of_its_bytes() -> None:
    base, space = pretrained("universal-graphs"), get_space("nasbench201")
    rng, target = np.random.default_rng(0), Target(device="here", backend="onnxruntime")
    graphs = [load_graph(space.to_onnx(space.sample(rng))) for _ in range(4)]
    queries = [Query(target=target, graph=graph) for graph in graphs]
    adapted = base.adapt(target, LatencyDataset(queries=queries, latency_ms=np.array([1.0, 2.0, 1.5, 1.2])))
    whole, of_base = adapted.to_artifact(), base.to_artifact()
    thin = difference(whole, of_base, DIGEST)
    assert len(thin.to_bytes()) < len(whole.to_bytes()) / 8
    again = load_predictor(completed(Artifact.from_bytes(thin.to_bytes()), of_base))
    np.testing.assert_array_equal(again.predict(queries).median_ms, adapted.predict(queries).median_ms)
