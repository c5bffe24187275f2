"""The whole-input pass: every query leaves once, for the right reason, whatever the order of arrival."""

import random

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from reasonmill.engine.curate.curator import curate
from reasonmill.engine.curate.decontaminate import EvaluationItem
from reasonmill.engine.curate.settings import CurateSettings
from reasonmill.engine.records import Message, Query, content_id

SETTINGS = CurateSettings()
STORY = (
    "Mara plants 14 rows of beans behind the old mill, and a goat eats every third row before Sunday. The rest is "
    "picked by her two brothers, who carry the same weight each. How many rows does each of the brothers pick?"
)
EXAM = "A clockmaker in Basel repairs 9 watches on Monday and 17 clocks until Friday. How many of both is that?"


def query(text: str, id_: str | None = None, **fields) -> Query:
    message = Message(role="user", content=text)
    return Query(id=id_ or content_id("math", text), messages=(message,), category="math", source="test", **fields)


def exam(text: str = EXAM, *rules: str) -> EvaluationItem:
    return EvaluationItem(id="exam-1", text=text, set_name="exam", rules=rules or ("containment", "ngram"))


def test_each_defect_is_removed_with_reason_and_evidence() -> None:
    near = STORY.replace("brothers pick", "brothers gather")
    queries = [
        query(STORY, "a0"),
        query("", "b0"),
        query("See https://example.com/x and solve it", "c0"),
        query(STORY.upper(), "a2"),
        query(STORY, "a1"),
        query(near, "d0"),
        query(STORY.replace("14", "15"), "e0"),
        query(f"Solve: {EXAM} Show your work.", "f0"),
        query(EXAM.replace("Basel", "Bern").replace("Friday", "Saturday"), "g0"),
    ]
    curation = curate(queries, [exam()], SETTINGS)
    assert [q.id for q in curation.kept] == ["a0", "e0"]
    found = {r.query_id: (r.stage, r.reason) for r in curation.removed}
    assert found == {
        "b0": ("curate", "empty"),
        "c0": ("curate", "url"),
        "a1": ("curate", "exact_duplicate"),
        "a2": ("curate", "exact_duplicate"),
        "d0": ("curate", "near_duplicate"),
        "f0": ("decontaminate", "contaminated_containment"),
        "g0": ("decontaminate", "contaminated_ngram"),
    }
    evidence = {r.query_id: r.evidence for r in curation.removed}
    assert evidence["a1"] == {"of": "a0", "match": "identical"}
    assert evidence["a2"] == {"of": "a0", "match": "normalised"}
    assert evidence["d0"]["of"] == "a0"
    assert 0.8 <= evidence["d0"]["jaccard"] < 1.0
    assert evidence["f0"]["item"] == "exam-1"
    assert evidence["f0"]["matched"] == EXAM.rstrip("?")


def corpus(seed: int) -> list[Query]:
    rng = random.Random(seed)
    # fmt: off
    words = (
        "bean", "mill", "goat", "brother", "row", "sunday", "carry", "weight", "pick", "plant", "old", "two",
        "same", "each", "before", "third", "rest",
    )
    # fmt: on
    queries = []
    for _ in range(30):
        base = rng.choices(words, k=50)
        for _ in range(rng.randrange(1, 5)):
            base = list(base)
            base[rng.randrange(50)] = rng.choice(words)
            queries.append(query(" ".join(base), f"{rng.getrandbits(48):x}"))
    return queries


@settings(deadline=None, max_examples=15)
@given(st.randoms(use_true_random=False), st.integers(1, 3))
def test_what_is_kept_does_not_depend_on_arrival_or_threads(rng: random.Random, num_threads: int) -> None:
    queries = corpus(1)
    expected = curate(queries, [exam()], SETTINGS)
    shuffled = rng.sample(queries, len(queries))
    found = curate(shuffled, [exam()], CurateSettings(num_threads=num_threads))
    assert {q.id for q in found.kept} == {q.id for q in expected.kept}
    assert [q.id for q in found.kept] == [q.id for q in shuffled if q in found.kept]
    order = lambda r: r.query_id  # noqa: E731
    assert sorted(found.removed, key=order) == sorted(expected.removed, key=order)


@given(st.lists(st.text(max_size=12) | st.sampled_from([STORY, EXAM, "", "See http://a.b/c"]), max_size=12))
@settings(deadline=None, max_examples=40)
def test_every_query_leaves_once(texts: list[str]) -> None:
    queries = [query(text, str(n)) for n, text in enumerate(texts)]
    curation = curate(queries, [exam()], SETTINGS)
    left = [q.id for q in curation.kept] + [r.query_id for r in curation.removed]
    assert sorted(left) == sorted(q.id for q in queries)


def test_curating_what_was_kept_removes_nothing_more() -> None:
    kept = curate(corpus(2), [exam()], SETTINGS).kept
    assert curate(kept, [exam()], SETTINGS).removed == []


def test_near_duplicates_can_be_left_in() -> None:
    queries = [
        query(STORY, "a"),
        query(STORY.replace("brothers pick", "brothers gather"), "b"),
        query(STORY.lower(), "c"),
    ]
    curation = curate(queries, [], CurateSettings(near_duplicate_threshold=None))
    assert [q.id for q in curation.kept] == ["a", "b"]


def test_all_turns_but_the_system_one_are_compared() -> None:
    def talk(system: str, first: str) -> Query:
        turns = [("system", system), ("user", first), ("assistant", "Yes."), ("user", STORY)]
        messages = tuple(Message(role=role, content=content) for role, content in turns)
        return Query(id=content_id(system, first), messages=messages, category="multiturn", source="test")

    same = [talk("Be brief.", "Do you know goats?"), talk("Be kind.", "Do you know goats?")]
    assert len(curate(same, [], SETTINGS).kept) == 1
    other = [talk("", "Shall we speak of 3 goats?"), talk("", "Shall we speak of 4 goats?")]
    everywhere = CurateSettings(number_guard=("multiturn",))
    assert len(curate(other, [], everywhere).kept) == 2


def test_other_numbers_are_another_question_where_the_guard_says_so() -> None:
    def pair(*categories: str) -> list[Query]:
        return [
            Query(
                id=f"{n}", messages=query(STORY.replace("14", str(14 + n))).messages, category=category, source="test"
            )
            for n, category in enumerate(categories)
        ]

    guarded = curate(pair("math", "math"), [], SETTINGS)
    assert [q.id for q in guarded.kept] == ["0", "1"]
    assert guarded.variants == {"1": "0"}
    assert [q.id for q in curate(pair("other", "other"), [], SETTINGS).kept] == ["0"]
    assert [q.id for q in curate(pair("math", "other"), [], SETTINGS).kept] == ["0", "1"]
    assert curate(pair("math", "math"), [], CurateSettings(label_variants=False)).variants == {}
    with pytest.raises(ValueError, match="number_guard: 'maths' is none of"):
        CurateSettings(number_guard=("maths",))


def test_held_back_questions_of_the_queries_own_template_take_only_themselves() -> None:
    template = "There are {} red and {} blue marbles in the bag that Tim found. How many marbles are there in all?"
    queries = [query(template.format(n, n + 2)) for n in range(50)]
    held_back = exam(template.format(7, 9), "containment")
    curation = curate(queries, [held_back], SETTINGS)
    assert [r.evidence["matched"] for r in curation.removed] == [template.format(7, 9).rstrip("?")]
    assert len(curation.kept) == 49


def test_a_further_judge_of_incompleteness_is_heard() -> None:
    curation = curate([query(STORY), query(EXAM)], [], SETTINGS, is_incomplete=lambda text: text.startswith("Mara"))
    assert [r.reason for r in curation.removed] == ["incomplete"]


def test_nothing_in_nothing_out() -> None:
    curation = curate([], [], SETTINGS)
    assert curation.kept == []
    assert curation.removed == []


@pytest.mark.parametrize("size", [1, 2])
def test_inputs_of_one_and_two_queries_work(size: int) -> None:
    queries = [query(STORY), query(EXAM)][:size]
    assert curate(queries, [], SETTINGS).kept == queries
