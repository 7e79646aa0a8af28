"""Programs of pickles are followed: what they leave on the stack, and when they are too costly."""

import pickle
import pickletools
from collections.abc import Iterable
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from predictors.data.importers import pickle_costs
from predictors.data.importers.pickle_costs import MAX_COLLISIONS, MAX_DEPTH, CostlyError, Costs

HASHABLE = st.recursive(
    st.none() | st.booleans() | st.integers(0, 9) | st.text(max_size=2),
    lambda inner: st.lists(inner, max_size=4).map(tuple),
    max_leaves=20,
)


def followed(program: bytes) -> Costs:
    costs = Costs()
    for opcode, argument, _ in pickletools.genops(program):
        costs.follow(opcode, argument)
    return costs


def visited(value: Any) -> int:
    """How many values the hash of one visits."""
    return 1 + sum(visited(part) for part in value) if isinstance(value, tuple) else 1


@given(st.dictionaries(HASHABLE, st.integers(), max_size=5), st.integers(0, 5))
def test_hashes_cost_what_they_visit(value: dict[Any, int], protocol: int) -> None:
    small = {key: number % 100 for key, number in value.items()}
    assert followed(pickle.dumps(small, protocol=protocol))._hashed == sum(visited(key) for key in small)


@given(st.recursive(st.integers(0, 9), lambda inner: st.lists(inner) | st.tuples(inner, inner) | st.sets(st.text())))
def test_a_program_ends_with_an_empty_stack(value: Any) -> None:
    costs = followed(pickle.dumps(value, protocol=4))
    assert (costs._stack, costs._marks) == ([], [])


def test_shared_tuples_cost_each_time() -> None:
    shared = ((1, 2), (1, 2))
    assert followed(pickle.dumps({shared: 1, (shared, 0): 2}))._hashed == 7 + 9


def test_limits_count_steps_visits_and_levels(monkeypatch: pytest.MonkeyPatch) -> None:
    deep: Any = 1
    for _ in range(MAX_DEPTH + 1):
        deep = (deep,)
    with pytest.raises(CostlyError, match=f"more than {MAX_DEPTH} deep"):
        followed(pickle.dumps(deep))
    followed(pickle.dumps(deep[0]))
    monkeypatch.setattr(pickle_costs, "MAX_HASHED", 9)
    followed(pickle.dumps(dict.fromkeys(range(9), 1)))
    with pytest.raises(CostlyError, match="more than 9 steps to hash"):
        followed(pickle.dumps(dict.fromkeys(range(10), 1)))
    monkeypatch.setattr(pickle_costs, "MAX_OPCODES", 3)
    with pytest.raises(CostlyError, match="more than 3 steps"):
        followed(pickle.dumps([1, 2, 3]))


def _combinations(of: Iterable[int], length: int) -> list[tuple[int, ...]]:
    keys: list[tuple[int, ...]] = [()]
    for _ in range(length):
        keys = [(*key, part) for key in keys for part in of]
    return keys


def test_keys_of_one_hash_are_refused() -> None:
    alike = _combinations((-1, -2), 11)
    assert len({hash(key) for key in alike}) == 1
    assert len(alike) > MAX_COLLISIONS
    with pytest.raises(CostlyError, match="share one hash"):
        followed(pickle.dumps(dict.fromkeys(alike, 1)))
    followed(pickle.dumps(dict.fromkeys(_combinations((1, 2), 11), 1)))


def test_a_stack_that_is_empty_gives_nothing() -> None:
    for program in (b"0.", b"\x85.", b"t.", b"q\x00.", b"h\x00.", b"s.", b"d.", b"2."):
        with pytest.raises(LookupError):
            followed(program)
