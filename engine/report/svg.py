"""The little that charts share: scales, ticks, axes, marks. Colours are classes, so that the page decides on them."""

import math
from collections.abc import Callable, Sequence
from dataclasses import dataclass

from reasonmill.engine.report.html import Child, Markup, join, tag

CHARACTER_WIDTH = 7.5  # of a bold label at 12 px in the widest of the usual fonts (DejaVu Sans), in px
NARROW, WIDE = 520.0, 1080.0  # widths of a chart in half a row and in a whole one, in px


def drawing(width: float, height: float, description: str, *marks: Child) -> Markup:
    """An SVG image that fills its card and says to a screen reader what it shows."""
    frame = f"0 0 {width:g} {height:g}"
    return tag("svg", marks, viewBox=frame, role="img", aria_label=description, class_="chart")


def ticks(low: float, high: float, wanted: int = 5) -> list[float]:
    """Round numbers that cover [low, high], about `wanted` of them."""
    if not high > low:
        high = low + 1.0
    raw = (high - low) / wanted
    magnitude = 10.0 ** math.floor(math.log10(raw))
    step = next(m * magnitude for m in (1.0, 2.0, 2.5, 5.0, 10.0) if m * magnitude >= raw * 0.999)
    first, last = math.floor(low / step + 1e-9), math.ceil(high / step - 1e-9)
    return [number * step for number in range(first, last + 1)]


@dataclass(frozen=True, slots=True)
class Scale:
    """Linear map of [low, high] to pixels [start, end]."""

    low: float
    high: float
    start: float
    end: float

    def __call__(self, value: float) -> float:
        """Pixel of a value."""
        return self.start + (value - self.low) / (self.high - self.low) * (self.end - self.start)


def text(x: float, y: float, content: Child, *, anchor: str = "start", class_: str = "label") -> Markup:
    """A line of text; `anchor` is start, middle or end."""
    return tag("text", content, x=x, y=y, text_anchor=anchor, class_=class_)


def line(x1: float, y1: float, x2: float, y2: float, class_: str) -> Markup:
    """A straight line."""
    return tag("line", x1=x1, y1=y1, x2=x2, y2=y2, class_=class_)


def rectangle(
    x: float, y: float, width: float, height: float, class_: str, tip: Child = None, radius: float = 2
) -> Markup:
    """A filled rectangle; `tip` shows on hover."""
    hover = tag("title", tip) if tip is not None else None
    return tag("rect", hover, x=x, y=y, width=max(width, 0.0), height=max(height, 0.0), rx=radius, class_=class_)


def path(points: Sequence[tuple[float, float]], class_: str, *, close_at: float | None = None) -> Markup:
    """A line through points in px; with `close_at`, the area between it and that height."""
    if not points:
        return Markup("")
    steps = "L".join(f"{x:.1f} {y:.1f}" for x, y in points)
    if close_at is not None:
        steps = f"{points[0][0]:.1f} {close_at:.1f}L{steps}L{points[-1][0]:.1f} {close_at:.1f}Z"
    return tag("path", d=f"M{steps}", class_=class_)


def horizontal_grid(
    scale: Scale, values: Sequence[float], left: float, right: float, write: Callable[[float], str]
) -> Markup:
    """Lines across the plot at values of the vertical axis, each with its number at the left."""
    return join(
        [
            line(left, scale(value), right, scale(value), "base" if value == scale.low else "rule"),
            text(left - 8, scale(value) + 4, write(value), anchor="end", class_="tick"),
        ]
        for value in values
    )


def vertical_grid(
    scale: Scale, values: Sequence[float], top: float, bottom: float, write: Callable[[float], str]
) -> Markup:
    """Lines up the plot at values of the horizontal axis, each with its number below."""
    return join(
        [
            line(scale(value), top, scale(value), bottom, "base" if value == scale.low else "rule"),
            text(scale(value), bottom + 16, write(value), anchor="middle", class_="tick"),
        ]
        for value in values
    )


def legend(entries: Sequence[tuple[str, str]], left: float, right: float) -> tuple[Markup, float]:
    """Coloured squares with names at the top of a chart, and the height they take; entries are (class, name)."""
    marks: list[Markup] = []
    x, y = left, 12.0
    for class_, name in entries:
        length = 15 + CHARACTER_WIDTH * len(name)
        if x > left and x + length > right:
            x, y = left, y + 17
        marks += [rectangle(x, y - 9, 10, 10, class_), text(x + 15, y, name)]
        x += length + 16
    return join(marks), y + 14


def label_width(labels: Sequence[str], most: float = 190.0) -> float:
    """Pixels that the longest label needs, within bounds."""
    return min(max((CHARACTER_WIDTH * len(label) for label in labels), default=0.0) + 14, most)


def shortened(label: str, width: float) -> str:
    """The label, cut with an ellipsis where it would not fit into `width` px."""
    room = int((width - 14) / CHARACTER_WIDTH)
    return label if len(label) <= room else label[: max(room - 1, 1)] + "…"
