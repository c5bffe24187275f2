"""The stretch that is shown: the same wherever it stands, and of a text of any length."""

import pytest

from reasonmill.engine.curate.evidence import longest_match

ITEM = "A robe takes 2 bolts of blue fiber and half that much white fiber. How many bolts in total does it take?"


@pytest.mark.parametrize("before", [0, 1, 65_400, 65_470, 65_536, 131_000, 300_000])
def test_an_item_is_found_whole_wherever_it_stands_in_a_long_text(before: int) -> None:
    text = "…" * before + f" {ITEM} " + "…" * 100_000
    assert longest_match(text, ITEM) == ITEM[:-1]


def test_the_longest_stretch_wins_over_an_earlier_one() -> None:
    text = "How many bolts in total " + "…" * 200_000 + " takes 2 bolts of blue fiber and half a day"
    assert longest_match(text, ITEM) == "takes 2 bolts of blue fiber and half"
    assert longest_match("…" * 200_000, ITEM) == ""
    assert longest_match(text, "") == ""
