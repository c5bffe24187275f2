"""Labels by the text, and the share of a label that is kept."""

import pytest

from reasonmill.engine.curate.settings import CurateSettings, TagSettings
from reasonmill.engine.curate.tags import downsampled, language, length
from reasonmill.engine.records import Message, Query


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("How many legs do seven spiders have?", "en"),
        ("Let $x$ be a real number such that $x^2 = 2$. Find $x^4$.", "en"),
        ("Solve $\\frac{x}{2} = 3$", "en"),
        ("2 + 2 = ?", "en"),
        ("def f(x):\n    return x + 1\n\nWhat does this function return for 3?", "en"),
        ("小明有三个苹果，又买了两个，一共有几个？", "zh"),
        ("已知 $f(x) = x^2 + 1$，求 $f(3)$ 的值。", "zh"),
        ("请用 Python 写一个函数 quick_sort，输入为整数列表。", "zh"),
        ("太郎はりんごを三つ持っています。全部でいくつですか。", "other"),
        ("사과 세 개와 배 두 개가 있습니다. 모두 몇 개입니까?", "other"),
        ("Сколько ног у семи пауков?", "other"),
        ("Combien de pattes ont sept araignées et trois chiens ensemble ?", "other"),
        ("Wie viele Beine haben sieben Spinnen und drei Hunde zusammen?", "other"),
        ("¿Cuántas patas tienen siete arañas y tres perros juntos?", "other"),
        ("", "en"),
    ],
)
def test_the_language_of_a_query(text: str, expected: str) -> None:
    assert language(text) == expected


def test_lengths_are_in_words() -> None:
    assert [length(n) for n in (0, 64, 65, 256, 257, 1024, 1025)] == [
        *("short", "short", "medium", "medium", "long", "long", "very long")
    ]


def tagged(number: int, **tags: str) -> Query:
    message = Message(role="user", content=f"question {number}")
    return Query(id=f"q{number}", messages=(message,), category="math", source="test", tags=tags)


def test_a_share_of_a_label_is_kept_and_always_the_same_queries() -> None:
    settings = TagSettings(difficulty=True, language=True, keep={"difficulty:easy": 0.3, "language:other": 0.0})
    easy = [tagged(n, difficulty="easy") for n in range(2000)]
    kept = [q.id for q in easy if downsampled(q, settings) is None]
    assert 520 < len(kept) < 680
    assert kept == [q.id for q in reversed(easy) if downsampled(q, settings) is None][::-1]
    other_seed = TagSettings(difficulty=True, keep={"difficulty:easy": 0.3}, seed=1)
    assert kept != [q.id for q in easy if downsampled(q, other_seed) is None]
    assert downsampled(tagged(1, difficulty="hard"), settings) is None
    reject = downsampled(tagged(1, difficulty="easy", language="other"), settings)
    assert reject is not None
    assert (reject.stage, reject.reason) == ("curate", "downsampled_language")
    assert reject.evidence == {"label": "other", "kept_share": 0.0}


def test_a_larger_share_keeps_what_a_smaller_one_keeps() -> None:
    queries = [tagged(n, difficulty="easy") for n in range(300)]

    def kept(share: float) -> set[str]:
        settings = TagSettings(difficulty=True, keep={"difficulty:easy": share})
        return {q.id for q in queries if downsampled(q, settings) is None}

    assert kept(0.0) == set()
    assert kept(0.2) < kept(0.5) < kept(1.0) == {q.id for q in queries}


@pytest.mark.parametrize(
    ("fields", "message"),
    [
        ({"difficulty": True, "keep": {"difficulty:trivial": 0.5}}, "keep: 'difficulty:trivial' is none of"),
        ({"keep": {"difficulty:easy": 0.5}}, "keep: 'difficulty:easy' needs difficulty: true"),
        ({"difficulty": True, "keep": {"difficulty:easy": 1.5}}, "the share 1.5 of 'difficulty:easy' is outside"),
        ({"keep": {"easy": 0.5}}, "keep: 'easy' is none of"),
    ],
)
def test_shares_of_labels_that_nobody_gives_are_mistakes(fields: dict[str, object], message: str) -> None:
    with pytest.raises(ValueError, match=message):
        TagSettings(**fields)


def test_a_model_that_is_asked_must_be_named() -> None:
    with pytest.raises(ValueError, match=r"ask\.teacher is missing"):
        CurateSettings(tags=TagSettings(difficulty=True))
