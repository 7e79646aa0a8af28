"""Charts are well-formed SVG whose shapes follow the values."""

import xml.etree.ElementTree as ET

import pytest
from hypothesis import assume, given
from hypothesis import strategies as st

from predictors.evaluation.plots import bars, curves, lines, round_ticks

SVG = "{http://www.w3.org/2000/svg}"


def parsed(text: str) -> ET.Element:
    return ET.fromstring(text)  # noqa: S314 - just drawn here


def heights(chart: ET.Element) -> dict[str, float]:
    """Height of each bar by its hint."""
    drawn = [(bar.find(f"{SVG}title"), bar) for bar in chart.iter(f"{SVG}rect")]
    return {title.text or "": float(bar.get("height", "0")) for title, bar in drawn if title is not None}


def test_bars_are_as_high_as_their_values() -> None:
    drawn = heights(parsed(bars("Error", "%", {"phone": {"a": 10.0, "b": 5.0}, "board": {"a": 20.0}})))
    assert set(drawn) == {"phone, a: 10", "phone, b: 5", "board, a: 20"}
    assert drawn["board, a: 20"] == pytest.approx(2 * drawn["phone, a: 10"], abs=0.2)
    assert drawn["phone, a: 10"] == pytest.approx(2 * drawn["phone, b: 5"], abs=0.2)


def test_a_reference_is_a_dashed_line() -> None:
    dashed = [line for line in parsed(bars("C", "%", {"x": {"a": 80.0}}, reference=90.0)).iter(f"{SVG}line")
              if line.get("stroke-dasharray")]  # fmt: skip
    assert len(dashed) == 1
    assert dashed[0].get("y1") == dashed[0].get("y2")


def test_lines_join_points_in_the_order_of_x() -> None:
    chart = parsed(lines("S", "Spearman", "samples", {"a": [(20, 0.9), (5, 0.5)], "b": [(5, 0.7)]}))
    first, second = [line.get("points", "").split() for line in chart.iter(f"{SVG}polyline")]
    (left_x, left_y), (right_x, right_y) = (map(float, point.split(",")) for point in first)
    assert left_x < right_x
    assert left_y > right_y, "greater values are higher up"
    assert len(second) == 1
    assert len(list(chart.iter(f"{SVG}circle"))) == 3


def test_one_point_and_no_bars_are_drawn_too() -> None:
    assert list(parsed(lines("S", "y", "x", {"a": [(1, 2.0)]})).iter(f"{SVG}circle"))
    assert heights(parsed(bars("E", "%", {}))) == {}
    assert heights(parsed(bars("E", "%", {"x": {"a": 0.0}}))) == {"x, a: 0": 0.0}


def test_texts_are_escaped() -> None:
    chart = parsed(bars("<b>", "a & b", {"<x>": {"<y>": 1.0}}))
    texts = {"".join(text.itertext()) for text in chart.iter(f"{SVG}text")}
    assert {"<b>", "a & b", "<x>", "<y>"} <= texts


def test_curves_have_a_linear_axis() -> None:
    chart = curves("T", "y", "x", {"a": [(0.0, 1.0), (10.0, 3.0)], "b": [(5.0, 2.0)]})
    dots = [float(dot.get("cx", "nan")) for dot in parsed(chart).iter(f"{SVG}circle")]
    assert dots[2] - dots[0] == pytest.approx((dots[1] - dots[0]) / 2, abs=0.2)
    apart = curves("T", "y", "x", {"a": [(0.0, 1.0), (10.0, 3.0)]}, joined=False)
    assert 'points=""' in apart
    assert curves("T", "y", "x", {}).startswith("<svg")


@pytest.mark.parametrize(
    ("low", "high", "ticks"),
    [
        (2.66, 8.53, [3.0, 4.0, 5.0, 6.0, 7.0, 8.0]),
        (0.0, 1.0, [0.0, 0.2, 0.4, 0.6, 0.8, 1.0]),
        (-0.05, 0.05, [-0.04, -0.02, 0.0, 0.02, 0.04]),
        (1e-9, 3e-9, [1e-9, 1.5e-9, 2e-9, 2.5e-9, 3e-9]),
        (7.0, 7.0, [7.0]),
    ],
)
def test_axes_have_round_numbers(low: float, high: float, ticks: list[float]) -> None:
    assert round_ticks(low, high) == pytest.approx(ticks)


@given(st.floats(-1e9, 1e9), st.floats(1e-6, 1e9))
def test_ticks_lie_between_the_bounds_and_are_neither_few_nor_many(low: float, width: float) -> None:
    assume(low + width > low and width > 1e-9 * abs(low))
    ticks = round_ticks(low, low + width)
    assert 2 <= len(ticks) <= 8
    assert min(ticks) >= low - 1e-6 * width
    assert max(ticks) <= low + width * (1 + 1e-6)


def test_a_limit_is_a_dashed_line_on_the_horizontal_axis() -> None:
    chart = parsed(curves("T", "y", "x", {"a": [(0.0, 1.0), (5.0, 3.0)]}, joined=False, limit=10.0))
    (dashed,) = [line for line in chart.iter(f"{SVG}line") if line.get("stroke-dasharray")]
    dots = [float(dot.get("cx", "nan")) for dot in chart.iter(f"{SVG}circle")]
    assert float(dashed.get("x1", "nan")) - dots[0] == pytest.approx(2 * (dots[1] - dots[0]), abs=0.2)
    assert dashed.get("x1") == dashed.get("x2")
