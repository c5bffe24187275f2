"""Prompts that the reports evaluate with, to the letter, typographic apostrophes and `\\box` included."""

from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from types import MappingProxyType

from reasonmill.engine.records import Message, Query

# arXiv 2505.14464 section 3.2, arXiv 2505.08311 page 9: all tasks
REASONING_SYSTEM_PROMPT = (
    "You are a helpful assistant. To answer the user’s question, you first think about the reasoning process and then "
    "provide the user with the answer. The reasoning process and answer are enclosed within <think> </think> and "
    "<answer> </answer> tags, respectively, i.e., <think> reasoning process here </think> <answer> answer here "
    "</answer>."
)
# arXiv 2503.19633 table 1: the same, naming the opening tags alone
_OPENING_TAGS_PROMPT = REASONING_SYSTEM_PROMPT.replace(
    "within <think> </think> and <answer> </answer> tags", "within <think> and <answer> tags"
)
# arXiv 2505.14464 section 3.2: AIME2024, AIME2025 and MATH500; LiveCodeBench prompts are left as they are
NAC_MATH_SUFFIX = "Let’s think step by step and output the final answer within \\box."
# arXiv 2505.08311 page 10
AMT_MATH_SUFFIX = "Let’s think step by step and output the final answer within \\box{}."
# arXiv 2504.09639 figure 3
LEV_MATH_SUFFIX = "Let's think step by step and output the final answer within \\boxed{}."
LEV_CODE_SUFFIX = "Let's think step by step and output the final answer within ```python\nyour code\n```"


@dataclass(frozen=True, kw_only=True)
class Prompts:
    """A system prompt, and what is put after the question, by category."""

    system_prompt: str | None = None
    suffixes: Mapping[str, str] = field(default_factory=lambda: MappingProxyType({}))


PRESETS: Mapping[str, Prompts] = MappingProxyType(
    {
        "plain": Prompts(),
        "nac": Prompts(system_prompt=REASONING_SYSTEM_PROMPT, suffixes={"math": NAC_MATH_SUFFIX}),
        "amt": Prompts(system_prompt=REASONING_SYSTEM_PROMPT, suffixes={"math": AMT_MATH_SUFFIX}),
        "1.4m": Prompts(system_prompt=_OPENING_TAGS_PROMPT),
        "lev": Prompts(
            system_prompt=REASONING_SYSTEM_PROMPT, suffixes={"math": LEV_MATH_SUFFIX, "code": LEV_CODE_SUFFIX}
        ),
    }
)


def as_asked(question: Query, prompts: Prompts) -> tuple[Message, ...]:
    """The question's turns with the suffix on a line of its own, and the system prompt in place of any other."""
    turns = question.messages
    suffix = prompts.suffixes.get(question.category)
    if suffix:
        turns = (*turns[:-1], replace(turns[-1], content=f"{turns[-1].content}\n{suffix}"))
    if prompts.system_prompt:
        own = tuple(turn for turn in turns if turn.role != "system")
        turns = (Message(role="system", content=prompts.system_prompt), *own)
    return turns
