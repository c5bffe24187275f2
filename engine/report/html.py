"""HTML and SVG as values. Text is escaped unless it is Markup, so text from the data can never become an element."""

import html
from collections.abc import Iterable, Sequence
from typing import TypeAlias


class Markup(str):
    """Text that is HTML already; only `tag` and `join` make it."""

    __slots__ = ()


Child: TypeAlias = "str | int | float | Iterable[Child] | None"  # None is left out


def tag(name: str, *children: Child, **attributes: str | float | None) -> Markup:
    """One element. Attribute names: a trailing `_` goes, other `_` become `-`; None leaves the attribute out."""
    written = "".join(
        f' {key.rstrip("_").replace("_", "-")}="{html.escape(_number(value), quote=True)}"'
        for key, value in attributes.items()
        if value is not None
    )
    return Markup(f"<{name}{written}>{join(children)}</{name}>")


def join(children: Iterable[Child]) -> Markup:
    """Children one after another, text escaped."""
    parts: list[str] = []
    for child in children:
        if isinstance(child, Markup):
            parts.append(child)
        elif isinstance(child, str | int | float):
            parts.append(html.escape(_number(child), quote=False))
        elif child is not None:
            parts.append(join(child))
    return Markup("".join(parts))


def _number(value: str | float) -> str:
    return f"{value:.2f}".rstrip("0").rstrip(".") if isinstance(value, float) else str(value)


def table(header: Sequence[Child], rows: Sequence[Sequence[Child]], *, text_columns: int = 1, mark: int = -1) -> Markup:
    """A table whose first `text_columns` are text and whose others are figures; row number `mark` is set off."""

    def cells(name: str, row: Sequence[Child]) -> list[Markup]:
        return [tag(name, cell, class_=None if i < text_columns else "figure") for i, cell in enumerate(row)]

    body = [tag("tr", cells("td", row), class_="marked" if i == mark else None) for i, row in enumerate(rows)]
    inner = tag("table", tag("thead", tag("tr", cells("th", header))), tag("tbody", body))
    return tag("div", inner, class_="scroll")


def section(identifier: str, title: str, *content: Child, lead: Child = None) -> Markup:
    """A section of the page with an optional opening sentence."""
    opening = tag("p", lead, class_="lead") if lead is not None else None
    return tag("section", tag("h2", title), opening, content, id=identifier)


def card(title: str, *content: Child, note: Child = None, wide: bool = False) -> Markup:
    """A framed figure with a title and a note below."""
    foot = tag("p", note, class_="note") if note is not None else None
    return tag("figure", tag("figcaption", title), content, foot, class_="card wide" if wide else "card")


def grid(*cards: Child) -> Markup:
    """Cards side by side where there is room."""
    return tag("div", cards, class_="grid")


def missing(text: Child) -> Markup:
    """Says what is not there, and why."""
    return tag("p", text, class_="missing")


def folded(title: Child, *content: Child) -> Markup:
    """Content behind a title to open."""
    return tag("details", tag("summary", title), tag("div", content, class_="folded"))
