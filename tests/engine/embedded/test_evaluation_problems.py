import asyncio
import itertools
import math
import random
import re

from reasonmill.engine.curate.decontaminate import EvaluationItem
from reasonmill.engine.curate.embeddings import EmbeddingDecontaminator
from reasonmill.engine.curate.settings import CurateSettings
from reasonmill.engine.embedded.evaluation_problems import EVALUATION_PROBLEMS, REWORDINGS
from reasonmill.engine.embedded.stories import STORIES
from reasonmill.engine.records import Message, Query

# The golds once more, each as a calculation, in the order of the problems.
CALCULATED = (
    24 * 18 - 350,
    15 * 4 + 7,
    (126 + 24) // 3,
    1250 - 375 + 840,
    900 - 12 * 35,
    16 * 22 - 47,
    28 * 12 // 14,
    240 - 65 + 38,
    math.ceil(3 * 17 / 5),
    18 * 25 - 87,
    250 - 32 - 2 * 32,
    math.lcm(4, 6),
    (480 - 60) // 35,
    9 * 14 - 98,
    96 // 8 // 3,
    6 * 9 + 11 * 5,
    7 * 13 * 2,
    next(day for day in itertools.count(1) if 3 * (day - 1) + 5 >= 14),
    (720 - 90) // 45,
    4 * 5 * 36,
    2 * (45 + 28) - 4,
    450 // 6 * 10,
    next(bikes for bikes in range(53) if 4 * (52 - bikes) + 2 * bikes == 184),
    next(rows for rows in range(3, 49) if 48 % rows == 0 and (48 // rows + 2) * (rows - 2) == 48),
    17 + 23 + 9 - 9 // 3,
    next(n + 2 for n in range(141) if n + n + 1 + n + 2 == 141),
    30 - 5 * 4,
    (135 + 160 + 95) * 8,
    450 // (12 + 18),
    4 * (26 - 10),
    5 * 8 // 4,
    630 // 45,
    (60 - 12 * 2) // 3,
    math.comb(7, 2),
    3 * 9,
    (65 + 65 - 20) * 6,
    math.ceil(400 / 36),
    sum(3 <= 1 + stripe % 9 <= 5 for stripe in range(90)),
    240 * 3 // 4 - 15,
    14 * 31 + 9 * 30,
)


def words(text: str) -> list[str]:
    return re.findall(r"\w+", text.lower())


def grams(text: str, length: int = 5) -> set[tuple[str, ...]]:
    found = words(text)
    return {tuple(found[i : i + length]) for i in range(len(found) - length + 1)}


def jaccard(a: str, b: str) -> float:
    return len(grams(a) & grams(b)) / len(grams(a) | grams(b))


def test_every_gold_is_what_the_calculation_gives() -> None:
    assert [gold for _, gold in EVALUATION_PROBLEMS] == list(CALCULATED)


def test_problems_are_distinct_texts_of_twenty_words_or_so() -> None:
    assert len({text for text, _ in EVALUATION_PROBLEMS}) == len(EVALUATION_PROBLEMS) == 40
    assert all(len(words(text)) >= 17 for text, _ in EVALUATION_PROBLEMS)


def test_a_rewording_keeps_the_numbers_and_hardly_any_wording() -> None:
    for index, text in REWORDINGS:
        problem = EVALUATION_PROBLEMS[index][0]
        assert sorted(re.findall(r"\d+", text)) == sorted(re.findall(r"\d+", problem)), text
        assert len(grams(problem) & grams(text)) / len(grams(problem)) < 0.1, text
        assert not grams(problem, 8) & grams(text, 8), text


def test_an_edited_story_is_a_near_duplicate_with_the_same_numbers() -> None:
    for story in STORIES:
        values = story.draw(random.Random(1))
        original, edited = story.question(values), story.edited(values)
        assert original != edited
        assert 0.8 <= jaccard(original, edited) < 1.0
        assert re.findall(r"\d+", original) == re.findall(r"\d+", edited)


def test_stories_are_nothing_like_each_other_or_the_evaluation_set() -> None:
    texts = [story.text for story in STORIES]
    assert all(jaccard(a, b) < 0.05 for a, b in itertools.combinations(texts, 2))
    assert all(jaccard(a, b) < 0.05 for a in texts for b, _ in EVALUATION_PROBLEMS)


def test_every_draw_of_a_story_has_a_positive_answer() -> None:
    for story in STORIES:
        for seed in range(200):
            assert story.answer(*story.draw(random.Random(seed))) > 0


def test_the_packaged_embedding_finds_every_rewording_and_leaves_every_story() -> None:
    items = [
        EvaluationItem(id=str(number), text=text, set_name="problems", rules=("embedding",))
        for number, (text, _) in enumerate(EVALUATION_PROBLEMS)
    ]
    stories = [story.question(story.draw(random.Random(2))) for story in STORIES]
    texts = [*(text for _, text in REWORDINGS), *stories]
    queries = [
        Query(id=str(number), messages=(Message(role="user", content=text),), category="math", source="test")
        for number, text in enumerate(texts)
    ]

    async def found() -> list[str | None]:
        async with EmbeddingDecontaminator(items, CurateSettings()) as decontaminator:
            rejects = await decontaminator.check(queries)
        return [None if reject is None else str(reject.evidence["item"]) for reject in rejects]

    assert asyncio.run(found()) == [*(str(index) for index, _ in REWORDINGS), *[None] * len(stories)]
