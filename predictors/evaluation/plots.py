"""Charts as SVG. Reports need two kinds of them, which take no plotting library."""

from collections.abc import Mapping, Sequence
from html import escape
from math import ceil, floor, log10

__all__ = ["bars", "curves", "lines", "round_ticks"]

_WIDTH, _HEIGHT = 780, 320
_LEFT, _RIGHT, _TOP, _BOTTOM = 56, 210, 34, 70
_COLOURS = ("#0072b2", "#d55e00", "#009e73", "#cc79a7", "#e69f00", "#56b4e9", "#000000", "#999999")
"""Distinguishable with any kind of colour vision (Okabe and Ito)."""


def bars(title: str, unit: str, groups: Mapping[str, Mapping[str, float]], *, reference: float | None = None) -> str:
    """A chart of grouped bars.

    Args:
        title: title above the chart.
        unit: unit of the vertical axis.
        groups: group → series → value, not negative.
        reference: value at which a dashed line is drawn.
    """
    names = list(dict.fromkeys(name for values in groups.values() for name in values))
    top = max([value for values in groups.values() for value in values.values()] + [reference or 0.0]) * 1.05 or 1.0
    frame = _Frame(title, unit, names, 0.0, top)
    slot = frame.width / max(1, len(groups))
    width = 0.8 * slot / max(1, len(names))
    for index, (group, values) in enumerate(groups.items()):
        start = _LEFT + slot * (index + 0.1)
        for place, name in enumerate(names):
            if name in values:
                frame.bar(start + place * width, width, values[name], place, f"{group}, {name}: {values[name]:.3g}")
        frame.label(_LEFT + slot * (index + 0.5), group, slanted=len(groups) > 4)
    if reference is not None:
        frame.rule(reference)
    return frame.svg()


def lines(title: str, unit: str, across: str, series: Mapping[str, Sequence[tuple[float, float]]]) -> str:
    """A chart of lines over a few values of x, which are drawn at equal distances.

    Args:
        title: title above the chart.
        unit: unit of the vertical axis.
        across: name of the quantity on the horizontal axis.
        series: name → points (x, y); at least one point in all.
    """
    ticks = sorted({x for points in series.values() for x, _ in points})
    values = [y for points in series.values() for _, y in points]
    low, high = min(values), max(values)
    margin = 0.05 * (high - low) or 0.05
    frame = _Frame(title, unit, list(series), low - margin, high + margin)
    step = frame.width / max(1, len(ticks))
    place = {x: _LEFT + step * (index + 0.5) for index, x in enumerate(ticks)}
    for index, (name, points) in enumerate(series.items()):
        frame.line([(place[x], y) for x, y in sorted(points)], index, name)
    for x in ticks:
        frame.label(place[x], f"{x:g}", slanted=False)
    frame.caption(across)
    return frame.svg()


def curves(
    title: str,
    unit: str,
    across: str,
    series: Mapping[str, Sequence[tuple[float, float]]],
    *,
    joined: bool = True,
    limit: float | None = None,
) -> str:
    """A chart of points over a quantity whose axis is linear.

    Args:
        title: title above the chart.
        unit: unit of the vertical axis.
        across: name of the quantity on the horizontal axis, with its unit.
        series: name → points (x, y); without any point the chart is empty.
        joined: whether lines connect the points of a series.
        limit: value on the horizontal axis at which a dashed line is drawn.
    """
    points = [point for part in series.values() for point in part] or [(0.0, 0.0)]
    across_all = [x for x, _ in points] + ([] if limit is None else [limit])
    left, right = min(across_all), max(across_all)
    low, high = min(y for _, y in points), max(y for _, y in points)
    margin = 0.05 * (high - low) or 0.05
    frame = _Frame(title, unit, list(series), low - margin, high + margin)
    scale = frame.width / ((right - left) or 1.0)
    for index, (name, part) in enumerate(series.items()):
        frame.line([(_LEFT + (x - left) * scale, y) for x, y in sorted(part)], index, name, joined=joined)
    for x in round_ticks(left, right):
        frame.label(_LEFT + (x - left) * scale, f"{x:g}", slanted=False)
    if limit is not None:
        frame.limit(_LEFT + (limit - left) * scale)
    frame.caption(across)
    return frame.svg()


def round_ticks(low: float, high: float) -> list[float]:
    """A few round values between two bounds, 1, 2 or 5 times a power of ten apart; the bound where they are equal."""
    if not high > low:
        return [low]
    rough = (high - low) / 6
    power = 10.0 ** floor(log10(rough))
    step = next(factor * power for factor in (1.0, 2.0, 5.0, 10.0) if factor * power >= rough * 0.999)
    first, last = ceil(low / step - 1e-9), floor(high / step + 1e-9)
    return [float(f"{place * step:.12g}") for place in range(first, last + 1)]


class _Frame:
    """A chart: axes, legend, and the shapes drawn between them."""

    def __init__(self, title: str, unit: str, names: Sequence[str], low: float, high: float) -> None:
        self.width, self.height = _WIDTH - _LEFT - _RIGHT, _HEIGHT - _TOP - _BOTTOM
        self._low, self._high = low, high
        self._parts = [
            f'<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 {_WIDTH} {_HEIGHT}" role="img" '
            f'font-family="sans-serif" font-size="12"><title>{escape(title)}</title>'
            f'<rect width="{_WIDTH}" height="{_HEIGHT}" fill="#ffffff"/>'
            f'<text x="{_LEFT}" y="18" font-size="14" font-weight="bold">{escape(title)}</text>'
            f'<text x="14" y="{_TOP + self.height / 2:.0f}" text-anchor="middle" '
            f'transform="rotate(-90 14 {_TOP + self.height / 2:.0f})">{escape(unit)}</text>'
        ]
        for value in round_ticks(low, high):
            self._grid(value)
        for index, name in enumerate(names):
            y, x = _TOP + 8 + 18 * index, _WIDTH - _RIGHT + 14
            self._parts.append(
                f'<rect x="{x}" y="{y - 9}" width="11" height="11" fill="{_colour(index)}"/>'
                f'<text x="{x + 16}" y="{y}">{escape(name)}</text>'
            )

    def bar(self, x: float, width: float, value: float, series: int, hint: str) -> None:
        y = self._y(value)
        self._parts.append(
            f'<rect x="{x:.1f}" y="{y:.1f}" width="{width:.1f}" height="{_TOP + self.height - y:.1f}" '
            f'fill="{_colour(series)}"><title>{escape(hint)}</title></rect>'
        )

    def line(self, points: Sequence[tuple[float, float]], series: int, hint: str, *, joined: bool = True) -> None:
        path = " ".join(f"{x:.1f},{self._y(y):.1f}" for x, y in points) if joined else ""
        dots = "".join(
            f'<circle cx="{x:.1f}" cy="{self._y(y):.1f}" r="3" fill="{_colour(series)}"/>' for x, y in points
        )
        stroke = f'fill="none" stroke="{_colour(series)}" stroke-width="2"'
        self._parts.append(f'<g><title>{escape(hint)}</title><polyline points="{path}" {stroke}/>{dots}</g>')

    def rule(self, value: float) -> None:
        self._parts.append(
            f'<line x1="{_LEFT}" x2="{_LEFT + self.width}" y1="{self._y(value):.1f}" y2="{self._y(value):.1f}" '
            'stroke="#333333" stroke-dasharray="5 4"/>'
        )

    def limit(self, x: float) -> None:
        self._parts.append(
            f'<line x1="{x:.1f}" x2="{x:.1f}" y1="{_TOP}" y2="{_TOP + self.height}" '
            'stroke="#333333" stroke-dasharray="5 4"/>'
        )

    def label(self, x: float, text: str, *, slanted: bool) -> None:
        y = _TOP + self.height + 16
        turn = f'text-anchor="end" transform="rotate(-35 {x:.0f} {y})"' if slanted else 'text-anchor="middle"'
        self._parts.append(f'<text x="{x:.0f}" y="{y}" {turn}>{escape(text)}</text>')

    def caption(self, text: str) -> None:
        x, y = _LEFT + self.width / 2, _TOP + self.height + 40
        self._parts.append(f'<text x="{x:.0f}" y="{y}" text-anchor="middle">{escape(text)}</text>')

    def svg(self) -> str:
        return "\n".join([*self._parts, "</svg>"]) + "\n"

    def _grid(self, value: float) -> None:
        y = self._y(value)
        self._parts.append(
            f'<line x1="{_LEFT}" x2="{_LEFT + self.width}" y1="{y:.1f}" y2="{y:.1f}" stroke="#dddddd"/>'
            f'<text x="{_LEFT - 6}" y="{y + 4:.1f}" text-anchor="end">{value:g}</text>'
        )

    def _y(self, value: float) -> float:
        return _TOP + self.height * (1 - (value - self._low) / (self._high - self._low))


def _colour(index: int) -> str:
    return _COLOURS[index % len(_COLOURS)]
