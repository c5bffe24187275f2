"""Curves and distributions: lines over steps or time, box plots, and strips that show stages at work side by side."""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass

from reasonmill.engine.report import numbers
from reasonmill.engine.report.html import Child, Markup, tag
from reasonmill.engine.report.spans import Timeline
from reasonmill.engine.report.svg import (
    NARROW,
    WIDE,
    Scale,
    drawing,
    horizontal_grid,
    label_width,
    legend,
    line,
    path,
    rectangle,
    shortened,
    text,
    ticks,
    vertical_grid,
)
from reasonmill.engine.store.lengths import BoxFigures

MAX_POINTS = 500  # of one curve: more than the pixels it has


@dataclass(frozen=True, slots=True)
class Curve:
    """Points of one curve, its name ('' leaves it out of the legend) and its colour class."""

    name: str
    class_: str
    xs: Sequence[float]
    ys: Sequence[float]


def curves(
    rows: Sequence[Curve],
    description: str,
    *,
    width: float = NARROW,
    height: float = 250.0,
    axis: str = "step",
    from_zero: bool = False,
    write_x: Callable[[float], str] = numbers.short,
    write_y: Callable[[float], str] = numbers.short,
) -> Markup:
    """Curves over a common axis."""
    named = [row for row in rows if row.name]
    bottom, left, right = height - 42, 58.0, width - 14
    names, top = legend([(f"{r.class_} key", r.name) for r in named], left, right) if len(named) > 1 else ("", 6.0)
    ys = [y for row in rows for y in row.ys]
    xs = [x for row in rows for x in row.xs]
    y_ticks = ticks(0.0 if from_zero else min(ys), max(ys), 4)
    low, high = min(xs), max(xs)
    x_scale = Scale(low, high if high > low else low + 1.0, left, right)
    y_scale = Scale(y_ticks[0], y_ticks[-1], bottom, top + 8)
    x_ticks = [x for x in ticks(x_scale.low, x_scale.high, 5) if x_scale.low <= x <= x_scale.high]
    marks: list[Child] = [names, horizontal_grid(y_scale, y_ticks, left, right, write_y)]
    marks += [text(x_scale(x), bottom + 16, write_x(x), anchor="middle", class_="tick") for x in x_ticks]
    for row in rows:
        points = [(x_scale(x), y_scale(y)) for x, y in thinned(row.xs, row.ys)]
        if len(points) == 1:
            marks.append(tag("circle", cx=points[0][0], cy=points[0][1], r=3, class_=f"{row.class_} dot"))
        marks.append(path(points, f"{row.class_} curve"))
    marks.append(text((left + right) / 2, height - 6, axis, anchor="middle", class_="tick"))
    return drawing(width, height, description, marks)


def thinned(xs: Sequence[float], ys: Sequence[float]) -> list[tuple[float, float]]:
    """At most MAX_POINTS points: means of equally many neighbours."""
    stride = -(-len(xs) // MAX_POINTS)
    if stride <= 1:
        return list(zip(xs, ys, strict=True))
    groups = range(0, len(xs), stride)
    return [
        (sum(xs[i : i + stride]) / len(xs[i : i + stride]), sum(ys[i : i + stride]) / len(ys[i : i + stride]))
        for i in groups
    ]


def smoothed(values: Sequence[float], window: int) -> list[float]:
    """Exponential moving average with the mean age of a window of that many values, unbiased at the start."""
    decay, weight, mean, result = 1.0 - 2.0 / (window + 1), 0.0, 0.0, []
    for value in values:
        weight = weight * decay + 1.0
        mean += (value - mean) / weight
        result.append(mean)
    return result


def boxes(
    rows: Sequence[tuple[str, str, BoxFigures]],
    description: str,
    *,
    unit: str,
    width: float = NARROW,
    height: float = 250.0,
    write: Callable[[float], str] = numbers.count,
) -> Markup:
    """Horizontal box plots: quartiles, Tukey's whiskers, the mean as a diamond. Rows are (name, class, figures)."""
    left = label_width([name for name, _, _ in rows])
    highest = max(max(box.whisker_high, box.mean) for _, _, box in rows)
    lowest = min(box.whisker_low for _, _, box in rows)
    marked = ticks(0.0 if lowest >= 0 else lowest, highest or 1.0, 5)
    scale = Scale(marked[0], marked[-1], left, width - 20)
    step = min(max((height - 50) / len(rows), 52.0), 96.0)
    bottom = 10.0 + step * len(rows)
    marks = [vertical_grid(scale, marked, 4, bottom, numbers.short)]
    for index, (name, class_, box) in enumerate(rows):
        y = 18.0 + step * (index + 0.5)
        low, q1, median, q3, high = (
            scale(v) for v in (box.whisker_low, box.first_quartile, box.median, box.third_quartile, box.whisker_high)
        )
        mean = scale(box.mean)
        tip = f"{name}: quartiles {write(box.first_quartile)}, {write(box.median)}, {write(box.third_quartile)}; "
        tip += f"mean {write(box.mean)}; from {write(box.minimum)} to {write(box.maximum)}"
        marks += [
            text(left - 12, y + 4, shortened(name, left), anchor="end", class_="label strong"),
            line(low, y, q1, y, "whisker"),
            line(q3, y, high, y, "whisker"),
            line(low, y - 7, low, y + 7, "whisker"),
            line(high, y - 7, high, y + 7, "whisker"),
            rectangle(q1, y - 13, max(q3 - q1, 1.0), 26, class_, tip),
            line(median, y - 13, median, y + 13, "median"),
            tag("path", d=f"M{mean:.1f} {y - 5:.1f}l5 5l-5 5l-5 -5z", class_="mean"),
            text(mean, y - 19, f"mean {write(box.mean)}", anchor="middle", class_="tick strong"),
        ]
    marks.append(text((left + width - 20) / 2, bottom + 34, unit, anchor="middle", class_="tick"))
    return drawing(width, bottom + 40, description, marks)


def strips(timeline: Timeline, bands: Mapping[str, tuple[str, str]], description: str) -> Markup:
    """One strip for each category of spans, as high as there were open ones. `bands`: category to (name, class)."""
    shown = [category for category in bands if category in timeline.open_spans]
    left, right, y = label_width([bands[c][0] for c in shown]), WIDE - 74, 8.0
    marks = []
    for category in shown:
        name, class_ = bands[category]
        values = timeline.open_spans[category]
        highest = max(float(values.max()), 1e-9)
        step = (right - left) / len(values)
        points = []
        for index, value in enumerate(values):
            height = y + 40 - 38 * float(value) / highest
            points += [(left + index * step, height), (left + (index + 1) * step, height)]
        marks += [
            text(left - 12, y + 26, shortened(name, left), anchor="end", class_="label strong"),
            rectangle(left, y, right - left, 40, "track"),
            path(points, class_, close_at=y + 40),
            text(right + 8, y + 12, f"max {numbers.short(max(round(highest, 1), 0.1))}", class_="tick"),
            text(right + 8, y + 36, "0", class_="tick"),
        ]
        y += 50
    scale = Scale(0.0, timeline.end_s - timeline.start_s, left, right)
    for value in time_ticks(scale.high):
        marks += [line(scale(value), 8, scale(value), y - 4, "rule over")]
        marks += [text(scale(value), y + 12, numbers.clock(value), anchor="middle", class_="tick")]
    return drawing(WIDE, y + 20, description, marks)


def time_ticks(length_s: float) -> list[float]:
    """Four to eight round moments from 0 to `length_s`."""
    steps = (
        0.1,
        0.2,
        0.5,
        1,
        2,
        5,
        10,
        15,
        30,
        60,
        120,
        300,
        600,
        900,
        1800,
        3600,
        7200,
        14400,
        43200,
        86400,
        172800,
        604800,
    )
    step = next((s for s in steps if 2 <= length_s / s <= 8), length_s / 5)
    return [number * step for number in range(int(length_s / step) + 1)]
