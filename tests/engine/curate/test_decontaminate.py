"""Decontamination by containment and n-grams: what it finds, what it must leave, and when it stops."""

import random

import pytest

from reasonmill.engine.curate.decontaminate import EvaluationItem, contaminated
from reasonmill.engine.curate.decontamination_guard import SuspiciousDecontamination
from reasonmill.engine.curate.settings import DecontaminateSettings

SETTINGS = DecontaminateSettings()
TRAIN = (
    "A freight train leaves Ulm at noon carrying 40 crates of glass marbles, and loses 3 crates at every second bridge "
    "on its way over the mountain. How many crates arrive if there are 8 bridges?"
)
# fmt: off
VOCABULARY = (
    "lantern", "pepper", "saddle", "violin", "copper", "meadow", "thunder", "basket", "marble", "ribbon",
    "walnut", "anchor", "velvet",
)
# fmt: on


def item(text: str, *rules: str, id_: str = "e1", set_name: str = "exam") -> EvaluationItem:
    return EvaluationItem(id=id_, text=text, set_name=set_name, rules=rules or ("containment", "ngram"))


def rules_found(query: str, *items: EvaluationItem) -> str | None:
    found = contaminated([query], items, SETTINGS)
    return found[0].rule if found else None


def edited(text: str, every: int) -> str:
    words = text.split()
    words[every // 2 :: every] = [VOCABULARY[n % len(VOCABULARY)] for n in range(len(words[every // 2 :: every]))]
    return " ".join(words)


def test_a_copy_in_any_format_is_contained() -> None:
    copy = "Please solve:\n\n**" + TRAIN.upper().replace(", ", " — ").replace(" 40 ", " $40$ ") + "**\n\nThink first."
    found = contaminated(["Something else entirely, about 8 bridges", copy], [item(TRAIN)], SETTINGS)
    assert list(found) == [1]
    assert found[1].evidence() == {
        "item": "e1",
        "evaluation_set": "exam",
        "rule": "containment",
        "coverage": 1.0,
        "matched": found[1].matched,
    }
    assert found[1].matched.startswith("A FREIGHT TRAIN LEAVES ULM")


def test_short_items_are_contained_as_whole_tokens() -> None:
    sum_ = item("What is 2 + 3?")
    assert rules_found("Tell me: what is $2+3$ ?", sum_) == "containment"
    assert rules_found("What is 12 + 3?", sum_) is None
    assert rules_found("What is 2 + 35?", sum_) is None
    assert rules_found("What is 2 - 3?", sum_) is None
    assert rules_found("计算：求 1+1 的值", item("求 1+1 的值")) == "containment"


def test_items_of_one_or_two_tokens_match_only_the_whole_query() -> None:
    assert rules_found("Explain entropy.", item("Entropy")) is None
    assert rules_found("Entropy?", item("Entropy")) == "containment"


def test_word_edits_do_not_hide_a_copy() -> None:
    found = contaminated([edited(TRAIN, 10)], [item(TRAIN)], SETTINGS)
    assert found[0].rule == "ngram"
    assert 0.3 <= found[0].coverage < 1.0
    assert found[0].matched in edited(TRAIN, 10)
    assert len(found[0].matched.split()) >= 5


def test_other_numbers_are_contamination_by_ngrams_and_not_by_containment() -> None:
    renumbered = TRAIN.replace("40", "52").replace("3 crates", "4 crates").replace("8 bridges", "6 bridges")
    assert rules_found(renumbered, item(TRAIN)) == "ngram"
    assert rules_found(renumbered, item(TRAIN, "containment")) is None
    assert rules_found(TRAIN, item(TRAIN, "containment")) == "containment"
    assert rules_found(TRAIN, item(TRAIN, "embedding")) is None


@pytest.mark.parametrize(
    ("query", "evaluation"),
    [
        (
            "Let x, y and z be positive real numbers such that xyz = 8. Find the minimum value of x + 2y + 4z.",
            "Let $x$, $y$ and $z$ be positive real numbers such that $x^2 + y^2 + z^2 = 1$. "
            "Find the maximum value of $xy + yz\\sqrt{3}$.",
        ),
        (
            "Find the number of positive integers less than 2000 that are divisible by 7 but not divisible by the "
            "square of any prime.",
            "The answer can be written as m/n, where m is not divisible by the square of any prime. Find the number of "
            "ways to tile a corridor of length twelve with red and blue dominoes.",
        ),
        (
            "How many ways are there to arrange the letters of the word MISSISSIPPI?",
            "How many ways are there to seat six guests around a circular table for supper?",
        ),
    ],
)
def test_templates_alone_do_not_fire(query: str, evaluation: str) -> None:
    assert rules_found(query, item(evaluation)) is None


def test_an_ngram_that_many_queries_share_loses_its_weight() -> None:
    preamble = "You are a careful assistant in the observatory of a distant lighthouse keeper"
    evaluation = item(preamble + ". What colour is the northern lamp tonight over harbour seven?")
    other = "Which ship arrives before dawn on pier"
    rng = random.Random(1)
    queries = [f"{preamble}. {other} {' '.join(rng.choices(VOCABULARY, k=12))}?" for _ in range(400)]
    assert contaminated(queries[:1], [evaluation], SETTINGS), "on its own the preamble is most of the item"
    assert not contaminated(queries, [evaluation], SETTINGS)
    copies = [*queries, evaluation.text]
    assert list(contaminated(copies, [evaluation], SETTINGS)) == [400]


def test_of_several_items_the_one_covered_most_is_the_evidence() -> None:
    near, exact = item(edited(TRAIN, 9), id_="near"), item(TRAIN, id_="exact")
    found = contaminated([TRAIN], [near, exact], SETTINGS)
    assert found[0].item.id == "exact"
    assert found[0].rule == "containment"


def queries_of_a_template(count: int) -> list[str]:
    rng = random.Random(2)
    return [f"{' '.join(rng.choices(VOCABULARY, k=8))}. Who was the first king? {n}" for n in range(count)]


def test_one_item_that_takes_too_many_queries_stops_with_an_explanation() -> None:
    template = item("Who was the first king?", id_="q7")
    with pytest.raises(SuspiciousDecontamination, match=r"item 'q7' of evaluation set 'exam' alone .* 200 of 200"):
        contaminated(queries_of_a_template(200), [template], SETTINGS)
    assert len(contaminated(queries_of_a_template(50), [template], SETTINGS)) == 50


def test_a_set_that_takes_too_many_queries_stops_with_an_explanation() -> None:
    rng = random.Random(3)
    texts = [" ".join(rng.choices(VOCABULARY, k=20)) for _ in range(300)]
    items = [item(text, id_=str(n)) for n, text in enumerate(texts)]
    with pytest.raises(SuspiciousDecontamination, match="evaluation set 'exam' would remove 300 of 300"):
        contaminated(texts, items, SETTINGS)


def test_an_ngram_that_takes_too_many_queries_stops_with_an_explanation() -> None:
    rng = random.Random(4)
    shared = "violin copper meadow thunder basket marble ribbon"
    texts = [f"{' '.join(rng.choices(VOCABULARY, k=6))} {shared} number {n}" for n in range(150)]
    items = [item(f"{shared} {n} {rng.choice(VOCABULARY)}", "ngram", id_=str(n)) for n in range(150)]
    settings = DecontaminateSettings(common_count=1000, guard_item_share=1.0)
    with pytest.raises(SuspiciousDecontamination, match=r"the n-gram '[a-z ]+' stands in 150 of 150"):
        contaminated(texts, items, settings)


def test_nothing_to_compare_with_removes_nothing() -> None:
    assert contaminated([TRAIN], [], SETTINGS) == {}
    assert contaminated([], [item(TRAIN)], SETTINGS) == {}
    assert contaminated([TRAIN, ""], [item(""), item("?!")], SETTINGS) == {}
