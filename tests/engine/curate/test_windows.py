"""Pieces of long texts: nothing is left out, and what is short stands whole in one of them."""

from itertools import pairwise

from hypothesis import given
from hypothesis import strategies as st

from reasonmill.engine.curate.windows import paragraphs, windows


@given(st.integers(0, 3000), st.integers(1, 300))
def test_windows_cover_a_text_and_fit(length: int, size: int) -> None:
    found = windows(length, size)
    assert found[0][0] == 0
    assert found[-1][1] == length
    assert all(0 < end - start <= size or length == 0 for start, end in found)
    assert all(after[0] <= before[1] for before, after in pairwise(found))


@given(st.integers(1, 3000), st.integers(2, 300), st.data())
def test_what_is_at_most_half_a_window_long_stands_whole_in_one(length: int, size: int, data: st.DataObject) -> None:
    start = data.draw(st.integers(0, length))
    end = data.draw(st.integers(start, min(length, start + size // 2)))
    assert any(first <= start and end <= last for first, last in windows(length, size))


def test_paragraphs_stand_between_blank_lines() -> None:
    assert paragraphs("One.\nStill one.\n \t\n\n  Two.\n") == ["One.\nStill one.", "Two."]
    assert paragraphs("One.\nStill one.\n\n") == []
    assert paragraphs("") == []
