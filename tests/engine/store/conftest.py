"""Samples for the tests of what a run keeps on disk."""

from collections.abc import Callable
from typing import Any

import pytest

from reasonmill.engine.records import Attempt, Message, Query, Sample, attempt_seed
from reasonmill.verify.verdict import scored


@pytest.fixture
def make_sample() -> Callable[..., Sample]:
    """Factory of samples: `make_sample(number, teacher=..., category=..., messages=..., quality=..., ...)`."""

    def make(number: int = 0, *, teacher: str = "alpha", category: str = "math", **changes: Any) -> Sample:
        messages = changes.get("messages", (Message(role="user", content=f"What is {number} + {number}?"),))
        query = Query(
            id=f"q{number:05d}",
            messages=messages,
            category=category,
            source=changes.get("source", "arithmetic"),
            ground_truth=changes.get("ground_truth", str(2 * number)),
            test_case=changes.get("test_case"),
            instruction_constrain=changes.get("instruction_constrain"),
        )
        think = changes.get("think", f"{number} and {number} make {2 * number}")
        answer = changes.get("answer", rf"\boxed{{{2 * number}}}")
        attempt = Attempt(
            query_id=query.id,
            teacher=teacher,
            number=changes.get("attempt", 1 + number % 3),
            seed=attempt_seed(7, query.id, teacher, 1),
            text=f"<think>{think}</think><answer>{answer}</answer>",
            finish_reason="stop",
            prompt_tokens=12,
            completion_tokens=changes.get("completion_tokens", 100 + number),
            duration_s=0.0,
        )
        verdict = scored(1.0, verifier=changes.get("verifier", "number"), reason="ok")
        quality = changes.get("quality", {"num_words": 9.0})
        return Sample(query=query, attempt=attempt, verdict=verdict, think=think, answer=answer, quality=quality)

    return make
