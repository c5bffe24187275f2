"""Bars: the funnel, columns side by side, shares of a whole, busy times of stages, scores with their errors."""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass

from reasonmill.engine.report import numbers
from reasonmill.engine.report.html import Child, Markup, join
from reasonmill.engine.report.svg import (
    CHARACTER_WIDTH,
    NARROW,
    WIDE,
    Scale,
    drawing,
    horizontal_grid,
    label_width,
    legend,
    line,
    rectangle,
    shortened,
    text,
    ticks,
    vertical_grid,
)


@dataclass(frozen=True, slots=True)
class Bar:
    """One horizontal bar: what it is, how long, what stands beside it, and its colour class."""

    label: str
    value: float
    note: str
    class_: str
    indent: bool = False


def horizontal_bars(bars: Sequence[Bar], description: str, *, width: float = WIDE) -> Markup:
    """Bars from a common start, the longest over the whole width; indented ones are parts of the one above."""
    left = label_width([b.label + "   " * b.indent for b in bars], 260)
    note_room = CHARACTER_WIDTH * max((len(b.note) for b in bars), default=0) + 16
    longest = max((b.value for b in bars), default=0.0) or 1.0
    scale = Scale(0.0, longest, left, width - note_room)
    marks, y = [], 4.0
    for bar in bars:
        height = 14.0 if bar.indent else 22.0
        middle = y + height / 2 + 4
        name = shortened(bar.label, left)
        marks += [
            text(left - 12, middle, name, anchor="end", class_="label soft" if bar.indent else "label strong"),
            rectangle(left, y, max(scale(bar.value) - left, 1.5), height, bar.class_, f"{bar.label}: {bar.note}"),
            text(max(scale(bar.value), left + 1.5) + 8, middle, bar.note, class_="label"),
        ]
        y += height + (6 if bar.indent else 8)
    return drawing(width, y + 2, description, marks)


@dataclass(frozen=True, slots=True)
class Series:
    """A named row of values and its colour class."""

    name: str
    class_: str
    values: Sequence[float]


def columns(
    labels: Sequence[str],
    series: Sequence[Series],
    description: str,
    *,
    width: float = NARROW,
    height: float = 250.0,
    axis: str = "",
    write: Callable[[float], str] = numbers.short,
    tips: Callable[[str, Series, int], str] | None = None,
) -> Markup:
    """Columns side by side for each label, one of each series."""
    bottom, left, right = height - (44 if axis else 28), 52.0, width - 6
    names, top = legend([(s.class_, s.name) for s in series], left, right) if len(series) > 1 else ("", 10.0)
    highest = max((v for s in series for v in s.values), default=0.0)
    marked = ticks(0.0, highest or 1.0, 4)
    scale = Scale(0.0, marked[-1], bottom, top + 8)
    step = (right - left) / max(len(labels), 1)
    each = min(step * 0.82 / max(len(series), 1), 46.0)
    marks: list[Child] = [names, horizontal_grid(scale, marked, left, right, write)]
    for index, label in enumerate(labels):
        middle = left + (index + 0.5) * step
        marks.append(text(middle, bottom + 16, label, anchor="middle", class_="tick"))
        for place, row in enumerate(series):
            x = middle + (place - len(series) / 2) * each
            tip = tips(label, row, index) if tips else f"{row.name} {label}: {numbers.count(row.values[index])}"
            y = scale(row.values[index])
            marks.append(rectangle(x + 0.5, y, each - 1, bottom - y, row.class_, tip, radius=1.5))
    if axis:
        marks.append(text((left + right) / 2, height - 6, axis, anchor="middle", class_="tick"))
    return drawing(width, height, description, marks)


def shares(
    rows: Sequence[tuple[str, Mapping[str, float]]],
    classes: Mapping[str, str],
    description: str,
    *,
    width: float = WIDE,
    write: Callable[[float], str] = numbers.short,
) -> Markup:
    """One bar of full length for each row, divided by the shares of its parts; `classes` orders and colours them."""
    left = label_width([name for name, _ in rows])
    span = width - left - 4
    names, y = legend([(c, name) for name, c in classes.items()], left, width)
    marks = [names]
    for name, parts in rows:
        total = sum(parts.values())
        marks.append(text(left - 12, y + 19, shortened(name, left), anchor="end", class_="label strong"))
        x = left
        for part, class_ in classes.items():
            value = parts.get(part, 0.0)
            if total <= 0 or value <= 0:
                continue
            length = span * value / total
            tip = f"{name}, {part}: {write(value)} ({numbers.share(value, total)})"
            marks.append(rectangle(x, y, length - 1, 28, class_, tip, radius=1.5))
            caption = numbers.share(value, total, 0 if length < 60 else 1)
            if length > CHARACTER_WIDTH * len(caption) + 6:
                marks.append(text(x + length / 2, y + 18.5, caption, anchor="middle", class_="inside"))
            x += length
        y += 38
    return drawing(width, y, description, marks)


def stage_bars(rows: Sequence[tuple[str, Mapping[str, float]]], whole: float, marked: str, description: str) -> Markup:
    """Busy, starved and blocked seconds of each stage against `whole` seconds; `marked` is the bottleneck."""
    classes = {"busy": "busy", "starved": "starved", "blocked": "blocked"}
    left = label_width([name for name, _ in rows])
    names, y = legend([(c, name) for name, c in classes.items()], left, WIDE)
    marks = [names]
    for name, parts in rows:
        bold = "label strong" if name == marked else "label"
        marks += [
            text(left - 12, y + 16, shortened(name, left), anchor="end", class_=bold),
            rectangle(left, y, WIDE - left - 4, 22, "track"),
        ]
        x, scale = left, (WIDE - left - 4) / max(whole, sum(parts.values()), 1e-9)
        for part, class_ in classes.items():
            length = parts.get(part, 0.0) * scale
            if length > 0:
                tip = f"{name}: {part} {numbers.duration(parts[part])}"
                marks.append(rectangle(x, y, length, 22, class_, tip, radius=1.5))
            x += length
        y += 30
    return drawing(WIDE, y, description, marks)


@dataclass(frozen=True, slots=True)
class Score:
    """A score in [0, 1] with its standard error and its colour class."""

    name: str
    value: float
    error: float | None
    class_: str


def scores(rows: Sequence[Score], description: str, *, width: float = NARROW) -> Markup:
    """A bar for each score with one standard error to both sides."""
    left = label_width([row.name for row in rows])
    highest = max((row.value + (row.error or 0.0) for row in rows), default=1.0)
    scale = Scale(0.0, 1.0 if highest > 0.6 else ticks(0.0, max(highest, 0.05))[-1], left, width - 76)
    step = min(max(180.0 / max(len(rows), 1), 36.0), 56.0)
    bottom = 8.0 + step * len(rows)
    marks = [vertical_grid(scale, ticks(0.0, scale.high), 4, bottom, lambda v: numbers.percent(v, 0))]
    for index, row in enumerate(rows):
        y = 4.0 + step * (index + 0.5) - 12
        marks += [
            text(left - 12, y + 16, shortened(row.name, left), anchor="end", class_="label strong"),
            rectangle(
                left, y, max(scale(row.value) - left, 1.5), 24, row.class_, f"{row.name}: {numbers.percent(row.value)}"
            ),
        ]
        end = scale(row.value)
        if row.error:
            low, high = scale(max(row.value - row.error, 0.0)), scale(row.value + row.error)
            marks += [line(low, y + 12, high, y + 12, "error")]
            marks += [line(x, y + 7, x, y + 17, "error") for x in (low, high)]
            end = high
        marks.append(text(end + 8, y + 16, numbers.percent(row.value), class_="label strong"))
    return drawing(width, bottom + 24, description, join(marks))
