"""Toy questions that can be verified: by seed, in several phrasings, each with gold answer and worked trace.

Same seed, same questions, on every machine.
"""

import random
from collections.abc import Callable, Iterator

from reasonmill.engine.embedded.arithmetic import (
    chain_trace,
    maximum_trace,
    modular_product_trace,
)
from reasonmill.engine.embedded.questions import TOY_SOURCE, WorkedQuestion
from reasonmill.engine.embedded.reasoning_gym_queries import TAUGHT, taught_questions

# Share of each task in a mix. The first three are ours, the others reasoning-gym's.
MIX = {
    "addition": 0.42,
    "maximum": 0.28,
    "modular": 0.05,
    "chain_sum": 0.12,
    "basic_arithmetic": 0.13,
}

_ADDITION = ("What is {a} + {b}?", "Add {a} and {b}.", "What is the sum of {a} and {b}?")
_MAXIMUM = (
    "Which number is the largest: {a}, {b}, {c} or {d}?",
    "Find the maximum of {a}, {b}, {c} and {d}.",
    "What is the largest of {a}, {b}, {c} and {d}?",
)
_MODULAR = (
    "What is {a} * {b} mod {m}?",
    "Calculate ({a} * {b}) mod {m}.",
    "Find the remainder when {a} times {b} is divided by {m}.",
)


def _any_size(rng: random.Random) -> int:
    """A number of one to three digits, seldom of one."""
    width = rng.choices((1, 2, 3), (1, 3, 16))[0]
    return rng.randint(0 if width == 1 else 10 ** (width - 1), 10**width - 1)


def _addition(rng: random.Random) -> WorkedQuestion:
    a, b = _any_size(rng), _any_size(rng)
    question = rng.choice(_ADDITION).format(a=a, b=b)
    return _toy("addition", question, a + b, chain_trace(a, (("+", b),)))


def _maximum(rng: random.Random) -> WorkedQuestion:
    numbers = tuple(rng.sample(range(100), 4))
    a, b, c, d = numbers
    question = rng.choice(_MAXIMUM).format(a=a, b=b, c=c, d=d)
    return _toy("maximum", question, max(numbers), maximum_trace(numbers))


def _modular(rng: random.Random) -> WorkedQuestion:
    a, b, m = rng.randint(2, 9), rng.randint(2, 9), rng.randint(5, 9)
    question = rng.choice(_MODULAR).format(a=a, b=b, m=m)
    return _toy("modular", question, a * b % m, modular_product_trace(a, b, m))


def _toy(task: str, question: str, gold: int, trace: str) -> WorkedQuestion:
    return WorkedQuestion(task=task, source=TOY_SOURCE, question=question, gold=str(gold), trace=trace)


TOY_TASKS: dict[str, Callable[[random.Random], WorkedQuestion]] = {
    "addition": _addition,
    "maximum": _maximum,
    "modular": _modular,
}


def worked_questions(task: str, *, seed: int) -> Iterator[WorkedQuestion]:
    """Endless questions of one task of MIX. Raises ValueError for an unknown task."""
    if task in TAUGHT:
        return taught_questions(task, seed=seed)
    if task not in TOY_TASKS:
        raise ValueError(f"task {task!r} is none of {', '.join(MIX)}")
    rng = random.Random(f"{task}/{seed}")
    return (TOY_TASKS[task](rng) for _ in iter(int, 1))


def mixed_questions(*, seed: int) -> Iterator[WorkedQuestion]:
    """Endless questions of all tasks in the shares of MIX; repeats are possible."""
    streams = {task: worked_questions(task, seed=seed) for task in MIX}
    rng = random.Random(f"mix/{seed}")
    while True:
        yield next(streams[rng.choices(tuple(MIX), tuple(MIX.values()))[0]])
