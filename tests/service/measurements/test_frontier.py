"""The front of a search space: no network on it is beaten in both, and each counts once."""

import math

import numpy as np
from hypothesis import given
from hypothesis import strategies as st

from service.measurements.columns import WORDS, Networks, TargetColumns
from service.measurements.frontier import frontier_of
from tests.service.measurements.columns_made import made


def of_networks(ms: list[float], flops: list[float]) -> TargetColumns:
    """A row for each network of one search space."""
    count = len(ms)
    networks = Networks(
        places={f"g1-{place}": place for place in range(count)},
        flops=np.array(flops),
        nodes=np.ones(count),
        architectures=np.arange(count),
        families=["cells"],
        spaces=["nasbench201"],
        family=np.zeros(count, np.int64),
        space=np.zeros(count, np.int64),
        bits=np.zeros((count, WORDS), np.uint64),
    )
    one = made(ms)
    values = {name: getattr(one, name) for name in ("ids", "ms", "noise", "sentinel_ms", "created", "noisy",
                                                    "own_feeds", "with_kernels", "agent", "agents")}  # fmt: skip
    return TargetColumns(
        target_id="t", network=np.arange(count, dtype=np.int32), networks=networks, version="1", **values
    )


@given(
    st.lists(st.tuples(st.floats(0.1, 100) | st.just(math.nan), st.floats(1e3, 1e9) | st.just(math.nan)), max_size=30)
)
def test_nothing_on_the_front_is_beaten_and_everything_else_is(networks: list[tuple[float, float]]) -> None:
    columns = of_networks([ms for ms, _ in networks], [flops for _, flops in networks])
    found = frontier_of(columns)
    front = [networks[row - 10] for row in found.rows]
    known = [one for one in networks if not any(map(math.isnan, one))]
    assert found.networks == len(known)
    assert front == sorted(front)
    assert [flops for _, flops in front] == sorted({flops for _, flops in front})
    for ms, flops in known:
        assert (ms, flops) in front or any(fast <= ms and much >= flops for fast, much in front)


def test_a_network_counts_by_its_newest_steady_row_alone() -> None:
    columns = made([5.0, 50.0, 1.0, 40.0], noisy=[False, False, True, False])
    found = frontier_of(columns, "zoo")
    assert [(facet.name, facet.count) for facet in found.spaces] == [("zoo", 2)]
    assert (found.space, found.networks, found.rows) == ("zoo", 1, [10])
    assert [point[2] for point in found.scatter.points or ()] == [5.0]


def test_a_target_without_architectures_has_no_front() -> None:
    found = frontier_of(made([]))
    assert (found.space, found.networks, found.rows, found.spaces) == ("", 0, [], [])
    assert frontier_of(made([1.0]), "none").networks == 0
