"""Scores answers to puzzles by the scorers of reasoning-gym (arXiv 2505.24760), in a process of its own that may be
killed at any time. Run as `python -m reasonmill.verify.puzzle_worker LIMIT_S MEMORY_MIB`.

Some of those scorers hand the text to `eval` or to sympy's parser, which does: such text is only let through where it
can be no program.
"""

import ast
import logging
import re
import sys
from functools import cache
from typing import Any

from reasonmill.verify.worker_loop import OverLimit, bounded, serve

# reasoning-gym 0.1.25: scorers that evaluate an answer as a Python literal, and as an expression
LITERAL = frozenset({"binary_matrix", "n_queens", "number_sorting", "spiral_matrix", "string_insertion"})
EXPRESSION = frozenset(
    {"bitwise_arithmetic", "countdown", "intermediate_integration", "polynomial_multiplication", "puzzle24"}
    | {"simple_integration"}
)
# what else of an entry is evaluated
_EVALUATED = {
    "bitwise_arithmetic": "problem",
    "intermediate_integration": "integrand",
    "simple_integration": "integrand",
}
_TUPLES = frozenset({"arc_agi", "rearc"})  # scorers that compare boards with tuples, which JSON does not know
_NAME = re.compile(r"[A-Za-z_]\w*")
_FUNCTIONS = frozenset(
    {"sin", "cos", "tan", "asin", "acos", "atan", "sinh", "cosh", "tanh", "exp", "log", "ln", "sqrt", "pi", "Abs"}
)
_MARKS = frozenset("0123456789.+-*/^%()=&|~<> \t\r\n")
_ATTRIBUTE = re.compile(r"[A-Za-z_)\]]\s*\.")
_HEX = re.compile(r"\b0[xX][0-9a-fA-F]+\b")


def harmless(dataset: str, text: str, *, of_entry: bool = False) -> bool:
    """Whether a scorer that evaluates the text can only compute with it. The answer of an entry may leave an integral
    unsolved, as some do; no other answer may, since its derivative is right without any work.
    """
    if dataset in LITERAL and "(" in text:
        try:
            ast.literal_eval(text)
        except (ValueError, SyntaxError, TypeError, MemoryError, RecursionError):
            return False
    if dataset in EXPRESSION:
        rest = _HEX.sub("", text)
        names = _NAME.findall(rest)
        marks, known = (_MARKS | {","}, _FUNCTIONS | {"Integral"}) if of_entry else (_MARKS, _FUNCTIONS)
        if _ATTRIBUTE.search(rest) or not set(_NAME.sub("", rest)) <= marks:
            return False
        return all(len(name) == 1 or name in known for name in names)
    return True


def judge(request: dict[str, Any], limit_s: float) -> dict[str, Any]:
    """{"result": "scored", "score"}; else `result` and `detail`, the former being `unknown_puzzle`, `bad_entry`,
    `entry_over_limit`, `refused`, `checker_failed`, `over_limit` or `out_of_memory`.
    """
    stage = "entry"

    def work() -> dict[str, Any]:
        nonlocal stage
        dataset, entry, answer = request["dataset"], request["entry"], request["answer"]
        scorer = _scorer(dataset)
        if scorer is None:
            return {"result": "unknown_puzzle", "detail": f"reasoning-gym has no data set {dataset!r}"}
        if dataset in _TUPLES:
            entry = _with_tuples(entry)
        problem = _problem(dataset, entry, scorer)
        if problem:
            return {"result": "bad_entry", "detail": problem}
        stage = "answer"
        if not harmless(dataset, answer):
            return {"result": "refused", "detail": "the scorer would run the answer as a program"}
        return {"result": "scored", "score": float(scorer(answer, entry))}

    try:
        return bounded(limit_s, work)
    except OverLimit:
        return {
            "result": "over_limit" if stage == "answer" else "entry_over_limit",
            "detail": f"{stage} over {limit_s:g} s",
        }
    except (MemoryError, RecursionError) as error:
        return {"result": "out_of_memory" if stage == "answer" else "bad_entry", "detail": type(error).__name__}
    except Exception as error:  # noqa: BLE001  # the scorer's own fault, told as that
        result = "checker_failed" if stage == "answer" else "bad_entry"
        return {"result": result, "detail": f"{type(error).__name__}: {str(error)[:200]}"}


def _problem(dataset: str, entry: dict[str, Any], scorer: Any) -> str:
    """Why an entry cannot be right: what it says is the answer earns less than 1. Some puzzles give no answer."""
    evaluated = [entry.get("answer"), entry["metadata"].get(_EVALUATED.get(dataset, ""))]
    if not all(harmless(dataset, text, of_entry=True) for text in evaluated if isinstance(text, str)):
        return "the scorer would run the entry as a program"
    gold = entry.get("answer")
    if gold is None:
        return ""
    score = scorer(gold, entry)
    return "" if score == 1.0 else f"its own answer scores {score}"


@cache
def _scorer(dataset: str) -> Any:
    import reasoning_gym
    from reasoning_gym.factory import DATASETS

    if dataset not in DATASETS or dataset == "composite":
        return None
    return reasoning_gym.get_score_answer_fn(dataset)


def _with_tuples(value: Any) -> Any:
    if isinstance(value, dict):
        return {key: _with_tuples(one) for key, one in value.items()}
    return tuple(map(_with_tuples, value)) if isinstance(value, list) else value


def _warm_up() -> None:
    logging.disable(logging.ERROR)
    _scorer("chain_sum")


def main() -> None:
    """Serve scores until the pipe ends."""
    limit_s, memory_mib = float(sys.argv[1]), int(sys.argv[2])
    serve(lambda request: judge(request, limit_s), memory_mib=memory_mib, warm_up=_warm_up)


if __name__ == "__main__":
    main()
