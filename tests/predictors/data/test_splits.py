"""Data sets: identity, merging, and folds that keep networks apart."""

from dataclasses import replace

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from numpy.testing import assert_array_equal

from latcast.schema import (
    Architecture,
    DeviceEvidence,
    Graph,
    InputError,
    Target,
)
from predictors.base import LatencyDataset, Query
from predictors.data.splits import (
    dataset_digest,
    group_folds,
    merge,
    row_keys,
    rows_by_target,
)
from predictors.testing import DEVICES, measure, random_graph

GRAPHS = [random_graph(np.random.default_rng(seed)) for seed in range(12)]
TARGET = Target(device="d", backend="fake")


@pytest.fixture
def data() -> LatencyDataset:
    return measure(GRAPHS, DEVICES, np.random.default_rng(0))


def test_rows_by_target_follow_the_id_and_not_the_object(data: LatencyDataset) -> None:
    twins = [Query(target=replace(query.target), graph=query.graph) for query in data.queries]
    queries = [*data.queries, *twins]
    rows = rows_by_target(queries)
    assert set(rows) == set(data.targets())
    assert sorted(index for own in rows.values() for index in own) == list(range(len(queries)))
    assert all(queries[index].target.id == name for name, own in rows.items() for index in own)


def test_digest_is_of_the_rows(data: LatencyDataset) -> None:
    digest = dataset_digest(data)
    assert dataset_digest(data.subset(np.random.default_rng(1).permutation(len(data)))) == digest
    louder = replace(data, latency_ms=data.latency_ms * (1 + 1e-12))
    others = [data.subset(range(len(data) - 1)), louder, replace(data, noise_log=None)]
    assert len({digest, *map(dataset_digest, others)}) == 4


def test_digest_builds_no_graphs() -> None:
    def refuse(architecture: Architecture) -> Graph:
        raise AssertionError(architecture)

    queries = [Query(target=TARGET, architecture=Architecture(space="s", text=t), graph_builder=refuse) for t in "ab"]
    data = LatencyDataset(queries=queries, latency_ms=np.ones(2))
    assert row_keys(data) == ["s:a", "s:b"]
    assert len(dataset_digest(data)) == 64


@given(groups=st.lists(st.sampled_from("abcdefgh"), min_size=1, max_size=30), folds=st.integers(2, 6))
def test_folds_split_rows_and_never_groups(groups: list[str], folds: int) -> None:
    splits = list(group_folds(groups, folds, seed=1))
    names = np.array(groups)
    assert len(splits) == (0 if len(set(groups)) < 2 else min(folds, len(set(groups))))
    for inner, outer in splits:
        assert not set(names[inner]) & set(names[outer])
        assert_array_equal(np.sort(np.concatenate([inner, outer])), np.arange(len(groups)))
        assert len(outer)
    if splits:
        assert_array_equal(np.sort(np.concatenate([outer for _, outer in splits])), np.arange(len(groups)))


def test_folds_follow_the_groups_and_not_the_rows() -> None:
    held_out = [{"abcd"[i] for i in outer} for _, outer in group_folds("abcd", 2, seed=5)]
    assert [{"ddcab"[i] for i in outer} for _, outer in group_folds("ddcab", 2, seed=5)] == held_out


def test_merging_keeps_every_row(data: LatencyDataset) -> None:
    rest, held_out = data.subset(range(0, len(data), 2)), data.subset(range(1, len(data), 2))
    assert dataset_digest(merge(rest, held_out)) == dataset_digest(data)
    with pytest.raises(InputError):
        merge()


def test_merging_fills_what_a_part_does_not_know(data: LatencyDataset) -> None:
    bare = replace(data, noise_log=None, kernels=None, evidence={"a": DeviceEvidence()})
    both = merge(data.subset([0, 1]), bare.subset([2]))
    assert both.noise_log is not None
    assert data.noise_log is not None
    assert both.noise_log[2] == np.median(data.noise_log[:2])
    assert both.kernels is not None
    assert both.kernels[2] is None
    assert both.kernels[0] is not None
    assert set(both.evidence) == {"a"}
    none = merge(bare, bare)
    assert none.noise_log is None
    assert none.kernels is None
