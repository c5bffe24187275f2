"""What a verifier is given: one response and what it is held against."""

from dataclasses import dataclass
from typing import Any


@dataclass(frozen=True, kw_only=True, slots=True)
class VerifyRequest:
    """One response to judge.

    `test_case` is the released schema's object (arXiv 2505.14464 dataset card), parsed or as its JSON text:
    {"call_type": "assert" | "std" | "functional", ...}. `instruction_constrain` is IFEval's
    {"instruction_id_list": [...], "kwargs": [...]}, spelled as released.
    """

    id: str
    category: str
    prompt: str
    response: str
    ground_truth: str | None = None
    test_case: dict[str, Any] | str | None = None
    instruction_constrain: dict[str, Any] | str | None = None
