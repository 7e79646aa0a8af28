"""Pareto fronts of two quantities, kept while points stream by."""

from bisect import bisect_left, bisect_right
from collections.abc import Iterator
from typing import NamedTuple

__all__ = ["Front", "Point"]


class Point(NamedTuple):
    """A network's cost, which is to be small, and its value, which is to be large."""

    cost: float
    value: float
    name: str


class Front:
    """Points of which none is at least as good as another in both; costs and values grow together along it."""

    def __init__(self) -> None:
        self._points: list[Point] = []

    def __len__(self) -> int:
        return len(self._points)

    def __iter__(self) -> Iterator[Point]:
        return iter(self._points)

    def add(self, point: Point) -> bool:
        """Take a point in, and drop those that it is better than; False where one is as good already."""
        points = self._points
        after = bisect_right(points, point.cost, key=lambda one: one.cost)
        if after and points[after - 1].value >= point.value:
            return False
        start = bisect_left(points, point.cost, key=lambda one: one.cost)
        end = start
        while end < len(points) and points[end].value <= point.value:
            end += 1
        points[start:end] = [point]
        return True
