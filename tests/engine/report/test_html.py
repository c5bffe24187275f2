from hypothesis import given
from hypothesis import strategies as st

from reasonmill.engine.report.html import Markup, join, table, tag


def test_text_is_escaped_and_markup_is_not() -> None:
    assert tag("p", "a < b & c", tag("b", "x")) == "<p>a &lt; b &amp; c<b>x</b></p>"


def test_attributes_are_escaped_and_none_leaves_them_out() -> None:
    assert (
        tag("a", href='"><script>', class_=None, data_x=1.5) == '<a href="&quot;&gt;&lt;script&gt;" data-x="1.5"></a>'
    )


def test_children_may_be_nested_and_none_is_left_out() -> None:
    assert join(["a", None, ["b", [tag("i", 1)]], 2.0]) == "ab<i>1</i>2"


def test_text_cut_from_markup_is_text_again() -> None:
    assert not isinstance(tag("b", "x")[:3], Markup)


@given(st.text())
def test_no_text_ever_opens_an_element(text: str) -> None:
    page = table([text], [[text, text]])
    assert set(_names(page)) <= {"div", "table", "thead", "tbody", "tr", "th", "td"}


def _names(page: str) -> list[str]:
    return [part.split(">")[0].split(" ")[0].lstrip("/") for part in page.split("<")[1:]]
