"""Charts are well-formed SVG whose shapes follow the values."""

import xml.etree.ElementTree as ET

import pytest

from predictors.evaluation.plots import bars, curves, lines

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
