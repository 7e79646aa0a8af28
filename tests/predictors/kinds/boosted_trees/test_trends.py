"""Smooth parts extrapolate, and contrasts are what targets differ in."""

from dataclasses import replace

import numpy as np
import pytest
from numpy.testing import assert_allclose, assert_array_equal

from latcast.schema import ArtifactError
from predictors.artifact import Artifact
from predictors.base import Query
from predictors.kinds.boosted_trees.trends import EncodingReader, GraphReader, Reader, reader_from_artifact
from predictors.testing import DEVICES, random_graph
from predictors.testing.architectures import architecture_workload


def graphs(count: int = 80) -> list[Query]:
    rng = np.random.default_rng(0)
    return [Query(target=DEVICES[0].target, graph=random_graph(rng)) for _ in range(count)]


def test_rooflines_have_shares_that_add_up_and_scale_with_time() -> None:
    queries = graphs()
    reader = GraphReader.fit(queries)
    features = reader.features(queries)
    y = np.log([1e-3 + query.graph.macs * 1e-7 for query in queries])
    weights = reader.fit_smooth(features, y)
    assert np.median(np.abs(reader.smooth(features, weights) - y)) < 0.3
    shares = reader.contrasts(features, reader.fit_contrasts(features, y, ["t"] * len(y), weights))
    assert_allclose(shares.sum(axis=1), 1.0)
    slower = reader.fit_smooth(features, y + np.log(1000))
    assert_allclose(reader.smooth(features, slower), reader.smooth(features, weights) + np.log(1000), atol=0.05)


def test_encodings_are_linear_and_targets_differ_along_few_directions() -> None:
    data = architecture_workload("fbnet", train=60, held_out=40).train
    reader = EncodingReader.fit(data.queries)
    features, y = reader.features(data.queries), np.log(data.latency_ms)
    targets = [query.target.id for query in data.queries]
    level_free = y - np.array([y[[t == target for t in targets]].mean() for target in targets])
    weights = reader.fit_smooth(features, level_free)
    assert np.corrcoef(reader.smooth(features, weights), level_free)[0, 1] > 0.8
    directions = reader.fit_contrasts(features, level_free, targets, weights)
    assert directions.shape == (features.shape[1], min(5, len(set(targets)) - 1))
    assert reader.contrasts(features, directions).shape == (len(y), directions.shape[1])


@pytest.mark.parametrize("kind", [GraphReader, EncodingReader])
def test_vocabularies_bring_readers_back(kind: type[Reader]) -> None:
    queries = graphs(5) if kind is GraphReader else list(architecture_workload("fbnet", train=60).train.queries[:20])
    reader = kind.fit(queries)
    vocabulary = {"reads": reader.name, "features": reader.to_vocabulary()}
    artifact = Artifact(kind="boosted_trees", hyperparameters={}, arrays={}, vocabulary=vocabulary,
                        feature_version=reader.feature_version)  # fmt: skip
    again = reader_from_artifact(artifact)
    assert type(again) is kind
    assert_array_equal(again.features(queries), reader.features(queries))
    assert_array_equal(again.coverage(queries), reader.coverage(queries))
    with pytest.raises(ArtifactError, match="'tea leaves'"):
        reader_from_artifact(replace(artifact, vocabulary={**vocabulary, "reads": "tea leaves"}))
    with pytest.raises(ArtifactError, match="train it again"):
        reader_from_artifact(replace(artifact, feature_version="older"))
