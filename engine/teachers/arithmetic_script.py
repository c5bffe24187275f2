"""Answers to questions that hold an integer expression: right in a given share of seeds, off by a few in the others."""

import re

from reasonmill.engine.records import content_id
from reasonmill.engine.teachers.protocol import GenerationRequest, RequestRefused
from reasonmill.engine.teachers.script import ScriptedResponse

PREFIX = "arithmetic:"

_EXPRESSION = re.compile(r"-?\d+(?:\s*[-+*]\s*\d+)+")
_SPACE = 2**32


class ArithmeticScript:
    """`arithmetic:P`: the last expression of + - * in the last turn, worked out rightly with probability P.

    Whether an answer is right depends on the request's seed alone.
    """

    def __init__(self, script: str) -> None:
        try:
            self._right_share = float(script.removeprefix(PREFIX))
        except ValueError:
            self._right_share = -1.0
        if not 0.0 <= self._right_share <= 1.0:
            raise ValueError(f"script: {script!r} is not arithmetic:P with P in [0, 1]")

    def response(self, request: GenerationRequest) -> ScriptedResponse:
        """The answer to a request. Raises RequestRefused for a question without an expression."""
        found = _EXPRESSION.findall(request.messages[-1].content)
        if not found:
            raise RequestRefused("the question holds no integer expression")
        draw = int(content_id("arithmetic", str(request.seed))[:8], 16)
        value = evaluate(found[-1])
        if draw >= self._right_share * _SPACE:
            value += 1 + draw % 9
        return ScriptedResponse(text=f"<think>{found[-1]} = {value}</think><answer>\\boxed{{{value}}}</answer>")


def evaluate(expression: str) -> int:
    """Value of an expression of integers, + - * and spaces; * binds tighter, no parentheses."""
    total = 0
    for sign, term in re.findall(r"([-+]?)([\d*]+)", expression.replace(" ", "")):
        product = 1
        for factor in term.split("*"):
            product *= int(factor)
        total += -product if sign == "-" else product
    return total
