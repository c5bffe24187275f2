"""What the filters are told of a text is what it holds, natively and by the twin."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from reasonmill.engine.curate import filters
from reasonmill.engine.curate.settings import FilterSettings
from reasonmill.kernels import hints

PIECES = st.sampled_from(
    ["word ", "\x00", "\x7f", "é", "|", "<", "\t", "+", "\\", "/", "ww", "w", "W", "\n", "| a | b |\n|---|---|\n",
     "http://a.b/c ", "www.site.org ", "<table><tr><td>", "\\begin{tabular}", "\ufffd", "+--+--+\n", "\ud800"]
)  # fmt: skip
TEXTS = st.lists(PIECES, max_size=12).map("".join)


@given(st.lists(TEXTS | st.text(max_size=40), max_size=5))
def test_native_hints_are_those_of_the_twin(texts: list[str]) -> None:
    native = hints.hints(texts).tolist()
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(hints, "native_available", False)
        assert hints.hints(texts).tolist() == native


@given(TEXTS)
def test_a_filter_that_is_not_asked_would_have_found_nothing(text: str) -> None:
    settings = FilterSettings()
    (holds,) = hints.hints([text]).tolist()
    assert filters.check(text, 9, settings, holds=holds) == filters.check(text, 9, settings)
