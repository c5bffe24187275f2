import re
import xml.etree.ElementTree as ElementTree

import pytest
from hypothesis import given
from hypothesis import strategies as st

from reasonmill.engine.report.bar_charts import Bar, Score, Series, columns, horizontal_bars, scores, shares, stage_bars
from reasonmill.engine.report.curve_charts import MAX_POINTS, Curve, boxes, curves, smoothed, thinned, time_ticks
from reasonmill.engine.report.svg import ticks
from reasonmill.engine.store.lengths import box_of

numbers = st.floats(-1e12, 1e12)


@given(low=numbers, length=st.floats(1e-6, 1e12), wanted=st.integers(2, 10))
def test_ticks_cover_the_range_and_are_few(low: float, length: float, wanted: int) -> None:
    high = low + length
    found = ticks(low, high, wanted)
    slack = 1e-6 * max(abs(low), abs(high), high - low)
    assert found == sorted(found)
    assert len(found) <= wanted + 3
    if high > low:
        assert found[0] <= low + slack
        assert found[-1] >= high - slack


def test_ticks_of_a_single_value_exist() -> None:
    assert ticks(3.0, 3.0)[0] <= 3.0 <= ticks(3.0, 3.0)[-1]


@pytest.mark.parametrize("values", [[0.0], [0.0, 0.0], [5.0], [1e-9, 3.0], [1e9, 1.0, 0.0]])
def test_charts_of_any_values_are_well_formed_and_inside_their_frame(values: list[float]) -> None:
    names = [f"n{i}" for i in range(len(values))]
    drawn = [
        horizontal_bars([Bar(n, v, "note", "t0") for n, v in zip(names, values, strict=True)], "x"),
        columns(names, [Series("a", "t0", values), Series("b", "t1", values)], "x"),
        shares([("row", dict(zip(names, values, strict=True)))], dict.fromkeys(names, "c0"), "x"),
        stage_bars([(n, {"busy": v, "starved": v}) for n, v in zip(names, values, strict=True)], 1.0, "n0", "x"),
        scores([Score(n, min(v, 1.0), 0.1, "t0") for n, v in zip(names, values, strict=True)], "x"),
        curves([Curve("a", "t0", list(range(len(values))), values)], "x"),
        boxes([("a", "t0", box_of(values))], "x", unit="u"),
    ]
    for svg in drawn:
        root = ElementTree.fromstring(svg)
        width = float(root.attrib["viewBox"].split()[2])
        assert "nan" not in svg
        assert "inf" not in re.sub('class="inside"', "", svg)
        for rect in root.iter("rect"):
            assert float(rect.attrib["x"]) >= 0
            assert float(rect.attrib["x"]) + float(rect.attrib["width"]) <= width + 0.5
            assert float(rect.attrib["height"]) >= 0


def test_labels_are_text_in_a_chart() -> None:
    svg = horizontal_bars([Bar("<script>", 1.0, "</svg>", "t0")], "a & b")
    assert {element.tag for element in ElementTree.fromstring(svg).iter()} == {"svg", "title", "text", "rect"}


def test_long_curves_are_thinned_to_means() -> None:
    ys = [float(n % 2) for n in range(10 * MAX_POINTS)]
    points = thinned(list(range(len(ys))), ys)
    assert len(points) == MAX_POINTS
    assert {y for _, y in points} == {0.5}


def test_smoothing_keeps_a_constant_and_starts_unbiased() -> None:
    assert smoothed([2.0] * 5, 3) == [2.0] * 5
    assert smoothed([4.0, 0.0], 3)[0] == 4.0


@pytest.mark.parametrize("length", [0.05, 1.0, 59.0, 412.0, 86_400.0, 3e6])
def test_time_axes_have_a_handful_of_ticks(length: float) -> None:
    assert 2 <= len(time_ticks(length)) <= 10
