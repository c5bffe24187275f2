"""Short evaluation items: a term that the field uses is no sign of them, the item in other words is."""

import pytest

from reasonmill.engine.curate.decontaminate import EvaluationItem, contaminated
from reasonmill.engine.curate.settings import DecontaminateSettings


def found(query: str, item: str) -> bool:
    evaluation = [EvaluationItem(id="e", text=item, set_name="exam", rules=("containment", "ngram"))]
    return bool(contaminated([query], evaluation, DecontaminateSettings()))


@pytest.mark.parametrize(
    ("query", "item"),
    [
        (
            "Call a pair good if the least common multiple of one set is equal to the greatest common divisor of the "
            "other. How many good pairs of sets are there below 40?",
            "Find the greatest common divisor of $4221$, $3780$ and $1533$.",
        ),
        ("Let $T = 31$. Compute the units digit of $T^{905} + T^{12}$.", "Find the units digit of $13^7$."),
        (
            "Compute the number of ordered pairs $(a, b)$ such that $ab$ is a perfect cube below 5000.",
            "Find the number of ordered pairs $(x, y)$ of integers with $|x - yi| \\le 4$.",
        ),
        (
            "A fence is 3 meters longer than it is high, which is one less than twice its distance from the road.",
            "Which number is two less than twice its reciprocal?",
        ),
        (
            "Compute $\\cos^2 3^\\circ + \\cos^2 6^\\circ + \\cos^2 9^\\circ$.",
            "What is $\\cos^5 20^\\circ + \\cos 20^\\circ$?",
        ),
    ],
)
def test_terms_of_the_field_alone_do_not_fire(query: str, item: str) -> None:
    assert not found(query, item)


def test_short_items_full_of_numbers_are_found_with_other_numbers() -> None:
    item = "A ruler costs $2 and a marker costs $3. How much do 6 rulers and 8 markers cost?"
    assert found("A ruler costs $5 and a marker costs $11.5. How much do 9 rulers and 12 markers cost?", item)
    assert found("Solve: a ruler costs $51 and a marker costs $7. How much do 9 rulers and 1,250 markers cost?", item)
    assert not found("A ruler costs $5 and a stapler costs $11.5. How much do 9 rulers and 12 staplers cost?", item)
    assert not found("What is 17 + 4?", "What is 2 + 3?")


@pytest.mark.parametrize(
    ("query", "item"),
    [
        ("Determine the units digit of $13^7$, please.", "Find the units digit of $13^7$."),
        ("What is the gcd of the numbers 4221, 3780, and 1533?", "Find the gcd of $4221$, $3780$, and $1533$."),
        (
            "Two fair dice, each with faces numbered 1 to 6, are thrown. What is the probability that the product of "
            "the two numbers is divisible by 3?",
            "Two fair, 6-sided dice are thrown. What is the probability that the product of the two numbers is a "
            "multiple of 3? Express your answer as a common fraction.",
        ),
    ],
)
def test_the_item_in_other_words_fires(query: str, item: str) -> None:
    assert found(query, item)
