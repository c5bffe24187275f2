"""Text of simulated answers, in the parts and forms that the real verifiers read. One word is one token.

The words come from a small vocabulary in an order drawn for each answer: no phrase repeats, but where the answer is to
loop.
"""

import random
from dataclasses import dataclass
from typing import Literal

_STORY = (
    "we need the value so consider first that each term of this sum is a product and every factor must divide it "
    "then suppose x equals two which gives an even number but wait that fails because one side is odd hence try "
    "another case where y stays positive now multiply both sides by three subtract four from it check again with "
    "small numbers like five or seven maybe use symmetry instead let us define sequence index bound limit ratio "
    "angle triangle circle radius square root power modulo prime digit count pairs choose order group matrix row "
    "column vector graph edge path length area volume rate time speed distance work mass force energy charge acid "
    "base mole gas loop list string map key sort search queue stack tree node parent child left right start end "
    "input output return function line word letter space found known given true false therefore finally result "
    "indeed actually however alternatively simplify expand reduce compare compute evaluate estimate verify"
)
VOCABULARY = tuple(_STORY.split())
THINK_OPEN, THINK_CLOSE, ANSWER_OPEN, ANSWER_CLOSE = "<think>\n", "\n</think>\n", "<answer>", "</answer>"

Flaw = Literal["", "truncated", "loop", "second_think"]


@dataclass(frozen=True, kw_only=True, slots=True)
class TextPlan:
    """What an answer says: `tokens` words in full, `flaw` of its form, `answer` its result, drawn by `seed`."""

    category: str
    answer: str
    tokens: int
    flaw: Flaw
    seed: int
    loop_from: int = 0  # word from which a looping answer repeats itself


def pieces(plan: TextPlan) -> list[str]:
    """The answer as its tokens' texts. Their number is that of the plan's tokens where these leave room for tags and
    result.
    """
    chance = random.Random(plan.seed)
    if plan.flaw == "truncated":
        return [THINK_OPEN, *_words(chance, max(plan.tokens - 1, 1))]
    if plan.flaw == "loop":
        return [THINK_OPEN, *_looping(chance, plan)]
    result = [THINK_CLOSE, ANSWER_OPEN, *_result(plan), ANSWER_CLOSE]
    if plan.flaw == "second_think":
        result += [" " + THINK_OPEN, *_words(chance, max(plan.tokens // 8, 4))]
    room = max(plan.tokens - len(result) - 1, 1)
    return [THINK_OPEN, *_words(chance, room), *result]


def text(plan: TextPlan) -> str:
    """The whole answer."""
    return "".join(pieces(plan))


def _words(chance: random.Random, number: int) -> list[str]:
    return [" " + word for word in chance.choices(VOCABULARY, k=number)]


def _looping(chance: random.Random, plan: TextPlan) -> list[str]:
    phrase = _words(chance, chance.randint(4, 40))
    before = min(plan.loop_from, plan.tokens - 1)
    repeats = (plan.tokens - before) // len(phrase) + 1
    return (_words(chance, before) + phrase * repeats)[: max(plan.tokens - 1, 1)]


def _result(plan: TextPlan) -> list[str]:
    if plan.category == "code":
        return ["```python\n", "def", " answer", "():\n", "    return", f" {plan.answer}", "\n```"]
    if plan.category == "if":
        return ["The", " word", " is", f" number{plan.answer}", "."]
    return ["The", " number", " is", " \\boxed{", plan.answer, "}", "."]
