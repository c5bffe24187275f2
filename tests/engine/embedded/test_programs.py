import copy
import itertools
import re

import pytest

from reasonmill.engine.embedded.program_problems import PROBLEMS, Problem
from reasonmill.engine.embedded.programs import MAX_ENDLESS, MAX_PROGRAMS, program_queries


def results(problem: Problem, source: str) -> list[bool]:
    scope: dict[str, object] = {}
    exec(source, scope)  # our own sources
    function = scope[problem.name]
    assert callable(function)
    return [function(*copy.deepcopy(arguments)) == expected for arguments, expected in problem.cases]


@pytest.mark.parametrize("problem", PROBLEMS, ids=lambda problem: problem.name)
def test_the_right_function_passes_every_case_and_the_wrong_one_does_not(problem: Problem) -> None:
    assert all(results(problem, problem.right))
    assert not all(results(problem, problem.wrong))


def test_queries_are_distinct_and_of_every_call_type() -> None:
    queries = program_queries(MAX_PROGRAMS, seed=1)
    assert len({query.question for query in queries}) == MAX_PROGRAMS
    assert {query.test_case["call_type"] for query in queries} == {"assert", "functional", "std"}


def test_no_two_queries_are_near_duplicates() -> None:
    def grams(text: str) -> set[tuple[str, ...]]:
        words = re.findall(r"\w+", text.lower())
        return {tuple(words[i : i + 5]) for i in range(len(words) - 4)}

    questions = [grams(query.question) for query in program_queries(MAX_PROGRAMS, seed=1)]
    assert max(len(a & b) / len(a | b) for a, b in itertools.combinations(questions, 2)) < 0.7


@pytest.mark.parametrize("count", [8, MAX_PROGRAMS])
def test_answers_are_right_at_each_attempt_or_never_and_wrong_in_every_way(count: int) -> None:
    queries = program_queries(count, seed=3)
    right_at = {query.kinds.index("right") + 1 if "right" in query.kinds else None for query in queries}
    assert right_at == {1, 2, 3, None}
    kinds = [kind for query in queries for kind in query.kinds]
    assert 1 <= kinds.count("endless_loop") <= MAX_ENDLESS
    if count == MAX_PROGRAMS:
        assert set(kinds) == {"right", "wrong_result", "error", "endless_loop", "no_block", "early_exit"}


def test_every_answer_has_reasoning_and_all_but_the_blockless_ones_a_program() -> None:
    for query in program_queries(MAX_PROGRAMS, seed=3):
        for kind, text in zip(query.kinds, query.texts, strict=True):
            assert re.fullmatch(r"<think>.+</think><answer>.+</answer>", text, re.DOTALL)
            blocks = re.findall(r"```python\n(.*?)```", text, re.DOTALL)
            assert len(blocks) == (kind != "no_block")
            for block in blocks:
                compile(block, "answer", "exec")


def test_more_queries_than_there_are_is_refused() -> None:
    with pytest.raises(ValueError, match=f"{MAX_PROGRAMS + 1} is outside"):
        program_queries(MAX_PROGRAMS + 1, seed=0)
