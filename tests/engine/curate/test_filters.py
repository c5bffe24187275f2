"""Filters on single queries: what goes, what stays, and why."""

import pytest

from reasonmill.engine.curate import filters
from reasonmill.engine.curate.settings import FilterSettings
from reasonmill.kernels.corpus import Corpus


def check(text: str, settings: FilterSettings | None = None, **kwargs):
    num_words = int(Corpus([text]).num_words[0])
    return filters.check(text, num_words, settings or FilterSettings(), **kwargs)


def reason(text: str, settings: FilterSettings | None = None) -> str | None:
    finding = check(text, settings)
    return finding.reason if finding is not None else None


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("", "empty"),
        (" \n\t", "empty"),
        ("?!...", "empty"),
        ("😀😀", "empty"),
        ("\ufffd\ufffd\ufffd\ufffd", "unicode_ratio"),
        ("What \ufffd\ufffd is \ufffd\ufffd this?", "unicode_ratio"),
        ("Combien coÃ»te le thÃ© Ã  lâ€™hÃ´tel ?", "unicode_ratio"),
        ("Solve", "incomplete"),
        ("{question}", "incomplete"),
        ("[Insert your question here]", "incomplete"),
        ("N/A", "incomplete"),
        ("What is the value of", "incomplete"),
        ("Find the largest integer n such that", "incomplete"),
        ("Solve the system \\begin{align} x + y &= 3 \\\\ x -", "incomplete"),
        ("See https://example.com/a?b=1 and answer.", "url"),
        ("Look at www.example.org please.", "url"),
        ("As in example.com/problems/12, solve it.", "url"),
        ("Sum the column:\n| a | b |\n|---|---|\n| 1 | 2 |", "table"),
    ],
)
def test_a_defective_query_is_removed_for_its_reason(text: str, expected: str) -> None:
    assert reason(text) == expected


@pytest.mark.parametrize(
    "text",
    [
        "What is 2 + 2?",
        "2+2=?",
        "求 1+1",
        "What is the sun made of",
        "Complete the sequence 1, 2, 4, 8, ...",
        "How do I use else if",
        "In triangle ABC, find a",
        "How do I use \\begin{itemize} in LaTeX?",
        "Let $f(x) = \\begin{cases} x & x>0 \\\\ 0 & x \\le 0 \\end{cases}$. Find $f(1)$.",
        "Write a function that returns {name} formatted with f'{name}'",
        "def f(x):\n    return x | 1\n\nWhat does f(2) return?",
        "import numpy.random\nprint(obj.attr.com)\nExplain.",
        "Why does a//b differ from a/b in Python, e.g. 7//2?",
        "The file is src/main.c/old and the ratio is 3:1, i.e. x.y",
        "Is the string '://' special?",
        "Évaluez l'intégrale de « x² » sur [0, 1].",
        "Plot the graph of y = x^2 as shown in the figure below.",
    ],
)
def test_a_sound_query_survives(text: str) -> None:
    assert check(text) is None


def test_thresholds_and_switches_decide() -> None:
    text = "abcdefgh \ufffd x"  # one corrupted of ten visible characters
    assert reason(text, FilterSettings(max_unicode_ratio=0.1)) is None
    assert reason(text, FilterSettings(max_unicode_ratio=0.09)) == "unicode_ratio"
    assert reason("See https://a.b/c", FilterSettings(drop_urls=False)) is None
    assert reason("| a | b |\n|---|---|", FilterSettings(drop_tables=False)) is None
    assert reason("Hello", FilterSettings(drop_incomplete=False)) is None
    assert reason("Hello", FilterSettings(min_words=1)) is None


@pytest.mark.parametrize(
    "text",
    [
        "![plot](plot.png) What is the slope?",
        "<img src='a.png'> What is it?",
        "As shown in the figure, AB = 3. Find BC.",
        "The diagram below shows a circle. Find its area.",
        "[asy] draw((0,0)--(1,1)); [/asy] Find the length.",
        "如图，求角 A。",
    ],
)
def test_image_references_go_only_where_that_is_asked_for(text: str) -> None:
    assert check(text) is None
    finding = check(text, FilterSettings(drop_image_references=True))
    assert finding is not None
    assert finding.reason == "image_reference"


def test_a_sentence_about_figures_of_speech_is_no_image_reference() -> None:
    settings = FilterSettings(drop_image_references=True)
    assert check("She figured it out; her salary has six figures. What is a graph in mathematics?", settings) is None


def test_a_text_that_fails_every_filter_goes_for_the_first_that_is_on() -> None:
    text = (
        "\ufffd\ufffd\ufffd www.example.org\n| a | b |\n|---|---|\n| 1 | 2 |\nAs shown in the figure, find the value of"
    )
    on = {"drop_image_references": True, "max_words": 5, "max_unicode_ratio": 0.01}
    reasons = []
    for switch in ({}, {"max_unicode_ratio": 1.0}, {"drop_incomplete": False}, {"drop_urls": False},
                   {"drop_tables": False}, {"drop_image_references": False}, {"max_words": None}):  # fmt: skip
        on |= switch
        reasons.append(reason(text, FilterSettings(**on)))
    assert reasons == ["unicode_ratio", "incomplete", "url", "table", "image_reference", "too_long", None]


def test_a_text_of_more_words_than_are_allowed_is_too_long() -> None:
    limited = FilterSettings(max_words=1000)
    assert reason("word " * 1000, limited) is None
    finding = check("word " * 1001, limited)
    assert finding is not None
    assert (finding.reason, finding.evidence["words"]) == ("too_long", 1001)
    assert reason("字" * 1200, limited) == "too_long"
    assert reason("word " * 50_000) is None
    with pytest.raises(ValueError, match="max_words: 1 is below min_words = 2"):
        FilterSettings(max_words=1)


def test_the_evidence_shows_what_was_found() -> None:
    finding = check("See https://example.com/a.")
    assert finding is not None
    assert finding.evidence == {"matched": "https://example.com/a."}


def test_a_further_judge_is_asked_about_what_the_filters_pass() -> None:
    asked: list[str] = []

    def judge(text: str) -> bool:
        asked.append(text)
        return "missing" in text

    assert check("", is_incomplete=judge).reason == "empty"
    assert check("Solve the missing equation.", is_incomplete=judge).evidence["why"] == "judged"
    assert check("Solve x + 1 = 2.", is_incomplete=judge) is None
    assert asked == ["Solve the missing equation.", "Solve x + 1 = 2."]
