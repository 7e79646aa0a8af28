"""Pareto fronts while points stream by: the same as by comparing all with all, in any order."""

import numpy as np

from latcast.loops.frontier import Front, Point


def test_a_front_is_what_no_other_point_beats() -> None:
    rng = np.random.default_rng(0)
    points = [
        Point(float(cost), float(value), str(place))
        for place, (cost, value) in enumerate(rng.integers(0, 30, (400, 2)))
    ]
    front = Front()
    for point in points:
        front.add(point)
    expected = {
        (one.cost, one.value)
        for one in points
        if not any(
            other.cost <= one.cost and other.value >= one.value and (other.cost, other.value) != (one.cost, one.value)
            for other in points
        )
    }
    found = [(point.cost, point.value) for point in front]
    assert set(found) == expected
    assert len(found) == len(expected)
    assert found == sorted(found)


def test_what_is_as_good_already_is_not_taken() -> None:
    front = Front()
    assert front.add(Point(2.0, 5.0, "a"))
    assert not front.add(Point(2.0, 5.0, "b"))
    assert not front.add(Point(3.0, 5.0, "c"))
    assert front.add(Point(2.0, 6.0, "d"))
    assert [point.name for point in front] == ["d"]
    assert len(front) == 1
