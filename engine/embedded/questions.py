"""What every embedded task yields: a question, its gold answer and the worked trace that reaches it."""

import re
from dataclasses import dataclass

TOY_SOURCE = "toy"
GYM_SOURCE = "reasoning_gym"

_WORD = re.compile(r"\w+")


@dataclass(frozen=True, kw_only=True, slots=True)
class WorkedQuestion:
    """One question of a task. `gold` is the answer as text, `trace` the reasoning, which ends in the gold."""

    task: str
    source: str
    question: str
    gold: str
    trace: str

    @property
    def response(self) -> str:
        """The response that the teacher is taught: `<think>…</think><answer>\\boxed{…}</answer>`."""
        return f"<think>{self.trace}</think><answer>\\boxed{{{self.gold}}}</answer>"


def words_of(text: str) -> tuple[str, ...]:
    """Lower-case words and numbers of a text without its symbols: two questions with equal words count as one.

    Stricter than any deduplication: `4 + 3 - 1` and `4 - 3 + 1` are one here.
    """
    return tuple(_WORD.findall(text.lower()))
