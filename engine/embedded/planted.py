"""Queries of which it is known in advance that curation has to remove them, or must not: duplicates, near duplicates,
links, tables, broken text, and copies of an evaluation set.
"""

import random
from collections.abc import Iterator
from dataclasses import dataclass

from reasonmill.engine.embedded.evaluation_problems import EVALUATION_PROBLEMS, REWORDINGS
from reasonmill.engine.embedded.questions import WorkedQuestion
from reasonmill.engine.embedded.stories import STORIES

CONTAMINATED = ("contaminated_containment", "contaminated_ngram", "contaminated_embedding")
DUPLICATE = ("exact_duplicate", "near_duplicate")
_ACCENTED = (
    "größer", "fünf", "été", "déjà", "señor", "mañana", "čtyři", "šest", "žádný", "łódź", "żółw", "größte", "Übung",
    "première", "élève", "ångström", "smørrebrød", "naïve",
)  # fmt: skip


@dataclass(frozen=True, kw_only=True, slots=True)
class Plant:
    """One query to be removed for one of `reasons`, or kept where there are none.

    With `twin_of`, a text that is in the inputs too, one of the two is removed: the one with the larger id.
    """

    kind: str
    text: str
    gold: str
    reasons: tuple[str, ...] = ()
    twin_of: str | None = None


def duplicates(clean: list[WorkedQuestion], *, num_exact: int, num_reformatted: int) -> Iterator[Plant]:
    """Copies of the first clean questions, word for word or with other capitals and blanks."""
    for question in clean[:num_exact]:
        yield Plant(
            kind="exact_duplicate",
            text=question.question,
            gold=question.gold,
            reasons=("exact_duplicate",),
            twin_of=question.question,
        )
    for question in clean[num_exact : num_exact + num_reformatted]:
        yield Plant(
            kind="reformatted_duplicate",
            text="  " + question.question.upper().replace(" ", "  ") + "\n",
            gold=question.gold,
            reasons=DUPLICATE,
            twin_of=question.question,
        )


def story_families(count: int, rng: random.Random) -> Iterator[Plant]:
    """For each of the first `count` stories: the story, an edited copy, and the story with one number changed."""
    for story in STORIES[:count]:
        values = a, b, c = story.draw(rng)
        other = (a + rng.randint(1, 9), b, c)
        if story.question(other) == story.question(values):  # the story does not mention a
            other = (a, b, c + rng.randint(1, 9))
        original = story.question(values)
        yield Plant(kind="story", text=original, gold=str(story.answer(*values)))
        yield Plant(
            kind="near_duplicate",
            text=story.edited(values),
            gold=str(story.answer(*values)),
            reasons=("near_duplicate",),
            twin_of=original,
        )
        yield Plant(kind="number_variant", text=story.question(other), gold=str(story.answer(*other)))


def unusable(counts: dict[str, int], rng: random.Random) -> Iterator[Plant]:
    """Questions with links or tables, without content, cut off, or with broken characters."""
    for number in range(counts["url"]):
        a, b = rng.randint(100, 999), rng.randint(100, 999)
        link = (f"https://example.org/tasks/{a}", f"http://www.example.com/?task={a}", f"www.example.net/t{a}.html")
        text = f"Read the instructions at {link[number % 3]} and use them to work out {a} times {b}."
        yield Plant(kind="url", text=text, gold=str(a * b), reasons=("url",))
    for _ in range(counts["markdown_table"]):
        x, y = rng.randint(10, 99), rng.randint(10, 99)
        table = f"| item | price |\n| --- | --- |\n| lamp {x} | {x} |\n| chair {y} | {y} |"
        text = f"The shop has this price list:\n\n{table}\n\nWhat do one lamp and one chair cost together?"
        yield Plant(kind="markdown_table", text=text, gold=str(x + y), reasons=("table",))
    for _ in range(counts["latex_table"]):
        x, y = rng.randint(10, 99), rng.randint(10, 99)
        table = f"\\begin{{tabular}}{{lr}}\nMonday & {x} \\\\\nTuesday & {y} \\\\\n\\end{{tabular}}"
        text = f"A weather station recorded these values:\n{table}\nWhat is the difference between the two days?"
        yield Plant(kind="latex_table", text=text, gold=str(abs(x - y)), reasons=("table",))
    for number in range(counts["empty"]):
        text = (" \n\t ", "?", "", "...")[number % 4]
        yield Plant(kind="empty", text=text, gold="0", reasons=("empty", "incomplete", "exact_duplicate"))
    for number in range(counts["incomplete"]):
        a, b = rng.randint(100, 999), rng.randint(100, 999)
        start = f"A mill grinds {a} sacks of wheat and {b} sacks of rye."
        text = (
            start
            + (
                " What is the sum of",
                " Find the number of sacks that the",
                " What is the difference of",
                " Work out the",
            )[number % 4]
        )
        yield Plant(kind="incomplete", text=text, gold=str(a + b), reasons=("incomplete",))
    for number in range(counts["broken_characters"]):
        words = rng.sample(_ACCENTED, 8)
        garbled = " ".join(words).encode().decode("cp1252", errors="replace")
        text = (garbled, "\ufffd" * 12 + garbled, "".join(rng.choices("\ufffd\u2592\x07\x1b", k=40)))[number % 3]
        plus = f" {rng.randint(10, 99)} + {rng.randint(10, 99)}?"
        yield Plant(kind="broken_characters", text=text + plus, gold="0", reasons=("unicode_ratio",))


def contaminated(counts: dict[str, int], rng: random.Random) -> Iterator[Plant]:
    """Copies of evaluation problems: as they are, inside other text, with two words edited, in other words."""
    reworded = {index for index, _ in REWORDINGS}
    others = [problem for index, problem in enumerate(EVALUATION_PROBLEMS) if index not in reworded]
    rng.shuffle(others)
    pool = iter(others)
    for _ in range(counts["verbatim"]):
        text, gold = next(pool)
        yield Plant(kind="verbatim", text=text, gold=str(gold), reasons=CONTAMINATED)
    for number in range(counts["wrapped"]):
        text, gold = next(pool)
        before, after = _WRAPPINGS[number % len(_WRAPPINGS)]
        yield Plant(kind="wrapped", text=f"{before} {text} {after}", gold=str(gold), reasons=CONTAMINATED)
    for _ in range(counts["edited"]):
        text, gold = next(pool)
        yield Plant(kind="edited", text=_edit(text, rng), gold=str(gold), reasons=CONTAMINATED)
    for index, text in REWORDINGS[: counts["reworded"]]:
        gold = EVALUATION_PROBLEMS[index][1]
        yield Plant(kind="reworded", text=text, gold=str(gold), reasons=("contaminated_embedding",))


_WRAPPINGS = (
    ("Here is a task from my sister's school book.", "Please explain every step and give the result at the end."),
    ("I would like to practise mental arithmetic, so be patient with me.", "Answer in one sentence."),
    ("Solve the following problem carefully.", "Show how you got there, and check your result before you answer."),
)


def _edit(text: str, rng: random.Random) -> str:
    """The text with `very` before one word and `just` before another, neither of them at an end."""
    words = text.split(" ")
    first, second = sorted(rng.sample(range(2, len(words) - 2), 2))
    return " ".join([*words[:first], "very", *words[first:second], "just", *words[second:]])
