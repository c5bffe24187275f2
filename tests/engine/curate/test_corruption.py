"""What counts as corrupted text, and what does not."""

import pytest

from reasonmill.engine.curate import corruption
from reasonmill.engine.curate.corruption import corrupted_ratio

QUESTION = "How much does a coffee cost in the café “Zum Löwen” — and why?"


@pytest.mark.parametrize(
    "text",
    [
        QUESTION,
        "已知函数 f(x)=x²+2x，求 f(x) 的最小值。",
        "Докажите, что сумма углов треугольника равна 180°.",
        "Ποιο είναι το άθροισμα των γωνιών;",
        "ما هو مجموع زوايا المثلث؟",
        "แก้สมการ x + 2 = 5",
        "त्रिभुज के कोणों का योग क्या है?",
        "Ça coûte 5 € à l’Élysée, où «NÃO» n’est pas “ÉTÉ”.",
        "∀ε>0 ∃δ>0: |x−a|<δ ⇒ |f(x)−L|<ε, ∑ᵢ₌₁ⁿ i² ≤ ∫₀¹ 𝒇(𝑥)d𝑥",
        "🍎 + 🍎 = 10, 🍎 + 🍌 = 9. What is 🍌? 👩‍👩‍👧",
        "for i in range(3):\n\tprint(i)\r\n",
        "tôi muốn hỏi: tổng các góc là bao nhiêu?",
        "",
    ],
)
def test_readable_text_in_any_script_is_not_corrupted(text: str) -> None:
    assert corrupted_ratio(text) <= 0.02


def test_replacement_and_private_characters_are_counted_over_visible_ones() -> None:
    assert corrupted_ratio("ab \ufffd\ue000") == 0.5
    assert corrupted_ratio("\ufffd" * 8) == 1.0
    assert corrupted_ratio("abc\x00\x01\x02") == 0.5
    assert corrupted_ratio("abc\ud800") == 0.25
    assert corrupted_ratio("\x1c\x1d") == 1.0


TEXTS = (QUESTION, "Où est le thé ?", "Größe über Maß", "求函数的最小值", "Сколько будет?", "’“”—…")


@pytest.mark.parametrize("text", TEXTS)
@pytest.mark.parametrize("codepage", ["cp1252", "latin-1"])
def test_mojibake_is_counted(text: str, codepage: str) -> None:
    special = sum(not c.isascii() for c in text)
    mangled = text.encode().decode(codepage, "replace")
    visible = len("".join(mangled.split()))
    assert corrupted_ratio(mangled) >= 0.9 * special / visible


def test_the_garbage_of_other_code_pages_is_counted() -> None:
    assert corrupted_ratio("锟斤拷锟斤拷") == 1.0
    assert corrupted_ratio("烫烫烫烫烫烫") == 1.0
    assert corrupted_ratio("水很烫") == 0.0
    assert corrupted_ratio("z\u0335\u0321\u0306\u0310a\u0334\u0322\u0313\u0300l") > 0.5


def test_every_character_that_counts_is_looked_for() -> None:
    for code in (*range(0x3000), 0x5C6F, 0x70EB, 0x951F, 0xD800, 0xE000, 0xFDD0, 0xFFFD, 0xFFFF, 0xF0000, 0x10FFFF):
        for text in (chr(code), chr(code) + "\u0080", chr(code) * 3, chr(code) + "\u0080\u0080\u0080"):
            if corruption._SUSPECT.match(text):
                assert corruption._LEAD.match(text), hex(code)
