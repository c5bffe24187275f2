"""A filter that is not asked would have let the text pass."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from reasonmill.engine.curate import filters
from reasonmill.engine.curate.settings import FilterSettings
from reasonmill.kernels import suspects
from reasonmill.kernels.texts import Spans

PIECES = st.sampled_from(
    [
        "word ",
        "the",
        " The",
        " an",
        " and\n",
        "such that",
        "value of",
        " of\u00a0",
        "of.",
        "because \x1f",
        "\u3000",
        "\u2028",
        "\x00",
        "\x7f",
        "é",
        "\u0300\u0301\u0302",
        "\u00c3\u00a9",
        "\ufffd",
        "\ud800",
        "锟斤拷",
        "烫烫烫",
        "屯",
        "\ue000",
        "\U000f0000",
        "😀",
        "中文",
        "“",
        "”",
        "ſ",
        "K",
        "İ",
        "ı",
        "|",
        "| a | b |\n",
        "|---|---|\n",
        "a|b\n-|-\n",
        "<",
        "<t",
        "<TABLE><TR><td>",
        "\t",
        "a\tb\tc\n",
        "a\tb\tc\r",
        "+--+--+\n",
        "==+",
        "+==+\n",
        "┌─┬",
        "\n",
        "\r",
        "\x1c",
        "\x85",
        "\u2029",
        "\\begin{tabular}",
        "\\begin{align}",
        "\\end{align}",
        "\\",
        "/",
        "//",
        "://",
        "http",
        "https://x.y",
        "WWW.",
        "www.a.bc",
        "ww",
        "w",
        ".com/",
        "a.ORG/",
        "x.cn/",
        ".edu",
        "data:a/b;base64,",
        ";BASE64,",
        "{",
        "{{x}}",
        "<name>",
        "[insert text]",
        "[",
        "N/A",
        "na",
        "nan",
        "None",
        "NULL",
        "todo",
        "TBD",
        "undefined",
        "placeholder",
        "lorem ipsum",
        "test",
        "Testing",
        "teſt",
        "_",
        "-",
        "...",
        "?",
        "!",
        "9 ",
    ]
)
TEXTS = (
    st.lists(PIECES, max_size=10).map("".join)
    | st.text(max_size=40)
    | st.builds(lambda size, end: "x " * size + end, st.integers(60, 500), st.lists(PIECES, max_size=3).map("".join))
)
SETTINGS = st.builds(
    FilterSettings,
    max_unicode_ratio=st.sampled_from([0.0, 0.1, 1.0]),
    drop_incomplete=st.booleans(),
    min_words=st.integers(1, 4),
    drop_urls=st.booleans(),
    drop_tables=st.booleans(),
    drop_image_references=st.booleans(),
    max_words=st.none() | st.integers(4, 9),
)


@settings(deadline=None, max_examples=400)
@given(st.lists(st.tuples(TEXTS, st.integers(0, 12)), max_size=8), SETTINGS)
def test_a_text_that_no_filter_is_asked_about_passes_all(
    given_texts: list[tuple[str, int]], chosen: FilterSettings
) -> None:
    texts = [text for text, _ in given_texts]
    words = np.array([count for _, count in given_texts], np.uint32)
    asked = filters.to_be_asked(texts, words, chosen)
    for text, count, is_asked in zip(texts, words.tolist(), asked.tolist(), strict=True):
        assert is_asked or filters.check(text, count, chosen) is None, (text, count)


def test_most_texts_are_not_asked_about() -> None:
    texts = [
        "Add 2 and 3, then halve the sum.",
        "What is $\\frac{3}{4}$ of 12/5 if |x| < 3?",
        "No river runs here; the ferryman “rests” — why?",
        "小明有 3 个苹果，小红有 5 个，一共有多少个？",
        "Print the sum of a list.\nInput: n\nOutput: one number",
    ]
    assert not suspects.suspects(texts).any()


def test_without_the_native_module_every_text_is_asked_about(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(suspects, "native_available", False)
    spans = Spans(bytes=np.frombuffer(b"onetwo", np.uint8), offsets=np.array([0, 3, 6]))
    assert suspects.suspects(spans).tolist() == [suspects.ALL, suspects.ALL]
