"""Instruction following: verdicts, malformed constraints, hostile responses, and the same verdict every time."""

import asyncio
import json
import os
import signal
import subprocess
import sys
import time

import pytest

from reasonmill.verify import instruction_check
from reasonmill.verify.blocking import BlockingPool
from reasonmill.verify.constraints import ARGUMENTS, IFBENCH, IFEVAL, LANGUAGES, BadConstraints, read_constraints
from reasonmill.verify.pool import VerifierPool
from reasonmill.verify.request import VerifyRequest
from reasonmill.verify.settings import InstructionSettings, VerifySettings

pytest.importorskip("if_verifiable.common", reason="pip install 'reasonmill[instructions]'")

BULLETS = ("detectable_format:number_bullet_lists", {"num_bullets": 3})
SHORT = ("length_constraints:number_words", {"num_words": 10, "relation": "less than"})
LIST = "* one\n* two\n* three"


def _constrain(*pairs):
    return {"instruction_id_list": [name for name, _ in pairs], "kwargs": [given for _, given in pairs]}


def _request(response, *pairs, constrain=None):
    constrain = _constrain(*pairs) if constrain is None else constrain
    return VerifyRequest(id="q", category="if", prompt="p", response=response, instruction_constrain=constrain)


def _verdicts(requests, **options):
    async def run():
        async with VerifierPool(VerifySettings(instructions=InstructionSettings(workers=1, **options))) as pool:
            return [await pool.verify(request) for request in requests]

    return asyncio.run(run())


@pytest.fixture(scope="module")
def shared():
    """Verdicts of one worker with default settings, which takes two seconds to start."""
    with BlockingPool(VerifySettings(instructions=InstructionSettings(workers=1))) as pool:
        yield lambda requests: [pool.verify(request) for request in requests]


def _told(verdict):
    return verdict.outcome, verdict.score, verdict.reason


CASES = [
    (LIST, [BULLETS, SHORT], ("pass", 1.0, "ok")),
    (f"<think>no list yet</think>{LIST}", [BULLETS], ("pass", 1.0, "ok")),
    (f"<think>{LIST}</think>nothing", [BULLETS, SHORT], ("fail", 0.5, "constraint_not_met")),
    (f"<think>{LIST}", [BULLETS], ("fail", 0.0, "unfinished")),
    ("<think>x</think>  ", [BULLETS], ("fail", 0.0, "no_answer")),
    ("", [("punctuation:no_comma", {})], ("fail", 0.0, "no_answer")),
    ("Mr. Fox ran home. He slept.", [("length_constraints:number_sentences",
                                      {"num_sentences": 3, "relation": "less than"})], ("pass", 1.0, "ok")),
    ("HELLO WORLD is here", [("change_case:capital_word_frequency",
                              {"capital_frequency": 2.0, "capital_relation": "at least"})], ("pass", 1.0, "ok")),
    ("Es regnet heute sehr stark.", [("language:response_language", {"language": "de"})], ("pass", 1.0, "ok")),
    ("one two three four", [("count:word_count_range", {"min_words": 3, "max_words": 5})], ("pass", 1.0, "ok")),
    ("no_spaces", [("format:no_whitespace", {})], ("pass", 1.0, "ok")),
    ("a b", [("format:no_whitespace", {"n": None})], ("fail", 0.0, "constraint_not_met")),
    ("Ten of them.", [*[("punctuation:no_comma", {})] * 9, BULLETS], ("pass", 0.9, "ok")),
]  # fmt: skip


def test_the_score_is_the_share_of_the_constraints_that_the_answer_meets(shared):
    verdicts = shared(_request(response, *pairs) for response, pairs, _ in CASES)
    assert [_told(verdict) for verdict in verdicts] == [right for _, _, right in CASES]
    assert verdicts[2].detail == BULLETS[0]


def test_loose_mode_forgives_an_opening_line_and_all_or_nothing_forgives_none(shared):
    quoted = _request('Here you are:\n"my answer"', ("startend:quotation", {}))
    half = _request("nothing", BULLETS, SHORT)
    assert [_told(v)[:2] for v in shared([quoted, half])] == [("fail", 0.0), ("fail", 0.5)]
    strict_on_all = _verdicts([quoted, half], loose=True, all_must_pass=True)
    assert [_told(v)[:2] for v in strict_on_all] == [("pass", 1.0), ("fail", 0.0)]


UNREADABLE = [
    (None, "no_constraints"),
    ("", "no_constraints"),
    ({}, "no_constraints"),
    ({"instruction_id_list": [], "kwargs": []}, "no_constraints"),
    ({"instruction_id_list": "punctuation:no_comma"}, "bad_constraint"),
    ("{", "bad_constraint"),
    ("[" * 10_000, "bad_constraint"),
    ("[]", "bad_constraint"),
    ({"instruction_id_list": ["punctuation:no_comma"] * 101}, "bad_constraint"),
    ({"instruction_id_list": ["punctuation:no_comma"], "kwargs": [{}, {}]}, "bad_constraint"),
    ({"instruction_id_list": ["punctuation:no_comma"], "kwargs": ["x"]}, "bad_constraint"),
    (_constrain(("punctuation:no_comma", {}), ("invented:thing", {})), "unknown_constraint"),
    ({"instruction_id_list": [None]}, "unknown_constraint"),
    (_constrain(("punctuation:no_comma", {"n": 3})), "bad_constraint"),
    (_constrain((BULLETS[0], {})), "bad_constraint"),
    (_constrain((BULLETS[0], {"num_bullets": None})), "bad_constraint"),
    *((_constrain((BULLETS[0], {"num_bullets": bad})), "bad_constraint")
      for bad in (-1, 2.5, "3", True, [3], float("nan"), float("inf"))),
    (_constrain((SHORT[0], {"num_words": 3, "relation": "about"})), "bad_constraint"),
    (_constrain((SHORT[0], {"num_words": 3, "relation": ["less than"]})), "bad_constraint"),
    (_constrain(("language:response_language", {"language": "xx"})), "bad_constraint"),
    (_constrain(("keywords:existence", {"keywords": []})), "bad_constraint"),
    (_constrain(("keywords:existence", {"keywords": ["a", 3]})), "bad_constraint"),
    (_constrain(("keywords:letter_frequency",
                 {"letter": "#", "let_frequency": 3, "let_relation": "at least"})), "bad_constraint"),
    (_constrain(("length_constraints:nth_paragraph_first_word",
                 {"num_paragraphs": 2, "nth_paragraph": 3, "first_word": "x"})), "bad_constraint"),
]  # fmt: skip


@pytest.mark.parametrize(("value", "reason"), UNREADABLE)
def test_constraints_that_cannot_be_checked_are_said_to_be_so(value, reason):
    with pytest.raises(BadConstraints) as caught:
        read_constraints(value)
    assert caught.value.reason == reason
    assert str(caught.value)


def test_a_query_whose_constraints_cannot_be_checked_is_never_a_pass(shared):
    verdicts = shared(_request("fine", constrain=value) for value, _ in UNREADABLE if value is not None)
    assert {verdict.outcome for verdict in verdicts} == {"not_run"}
    assert all(verdict.final and verdict.detail for verdict in verdicts)


def test_constraints_come_as_an_object_or_as_json_text_with_nulls_for_what_is_absent():
    plain = _constrain(BULLETS, ("punctuation:no_comma", {}))
    padded = _constrain((BULLETS[0], {"num_bullets": 3.0, "keywords": None}), ("punctuation:no_comma", None))
    nested = {"instruction_id_list": json.dumps(plain["instruction_id_list"]), "kwargs": json.dumps(plain["kwargs"])}
    read = [read_constraints(value) for value in (plain, json.dumps(plain), padded, nested)]
    assert read.count(read[0]) == len(read)


_EXAMPLE = {"count": 3, "place": 2, "percentage": 50, "text": "word other more", "texts": ["a", "b"], "letter": "e",
            "relation": "at least", "language": "en"}  # fmt: skip


def test_every_constraint_of_the_registry_is_checked_or_says_what_it_lacks(shared):
    assert (len(IFEVAL), len(IFBENCH)) == (25, 58)
    requests = []
    for name, kinds in ARGUMENTS.items():
        requests.append(
            _request("One sentence here. Another 2, too!\n\n* end", (name, {k: _EXAMPLE[v] for k, v in kinds.items()}))
        )
    verdicts = shared(requests)
    odd = {name: v.detail for name, v in zip(ARGUMENTS, verdicts, strict=True) if v.outcome == "not_run"}
    assert set(odd) <= {"ratio:stop_words", "words:start_verb"}
    assert all("NLTK's data" in detail for detail in odd.values())


def test_the_registry_is_that_of_the_package():
    program = (
        "from reasonmill.verify.instruction_worker import Checkers; from reasonmill.verify.constraints import *\n"
        "import sys; checkers = Checkers(); assert checkers.ids == set(ARGUMENTS), checkers.ids ^ set(ARGUMENTS)\n"
        "from if_verifiable.ifeval.instructions_util import LANGUAGE_CODES\n"
        "assert set(LANGUAGE_CODES) == set(LANGUAGES)\n"
        "assert not {'datasets', 'pandas'} & {name for name, module in sys.modules.items() if module}"
    )
    done = subprocess.run([sys.executable, "-P", "-c", program], capture_output=True, text=True, timeout=120)
    assert done.returncode == 0, done.stderr
    assert len(set(LANGUAGES)) == 30


def test_a_hostile_response_or_constraint_ends_at_the_deadline_and_harms_nothing_after_it():
    regex = _request("a" * 60 + "!", ("keywords:existence", {"keywords": ["(a+)+$"]}))
    broken = _request("text", ("keywords:existence", {"keywords": ["("]}))
    huge = _request('"' + "Word. " * 2_000_000, BULLETS, SHORT, ("count:person_names", {"N": 3}))
    deep = _request("[" * 500_000, ("detectable_format:json_format", {}))
    began = time.monotonic()
    verdicts = _verdicts([regex, broken, huge, deep, _request(LIST, BULLETS)], limit_s=1.5)
    assert verdicts[0].reason in ("time_limit", "machine_busy")
    assert (verdicts[1].outcome, verdicts[1].reason) == ("not_run", "checker_failed")
    assert verdicts[2].outcome != "pass"
    assert verdicts[3].outcome != "pass"
    assert _told(verdicts[4]) == ("pass", 1.0, "ok")
    assert time.monotonic() - began < 120


MIXED = [
    "Das ist ok yes", "bonjour hello", "OK GO", "si no yes", "1 2 3", "la casa is big", "ciao ok", "no", "ja", "a e i",
]  # fmt: skip


def test_two_runs_agree_to_the_bit_also_where_the_language_is_unclear(shared):
    requests = [
        _request(text, ("language:response_language", {"language": one})) for text in MIXED for one in LANGUAGES[:4]
    ]
    first = [_told(verdict) for verdict in shared(requests)]
    assert first == [_told(verdict) for verdict in shared(requests)]
    assert first == [_told(verdict) for verdict in reversed(_verdicts(reversed(requests)))]  # another process


def test_without_the_packages_it_says_what_to_install(monkeypatch):
    monkeypatch.setattr(instruction_check, "PACKAGES", ("surely_not_installed",))
    (verdict,) = _verdicts([_request(LIST, BULLETS)])
    assert (verdict.outcome, verdict.reason) == ("not_run", "no_verifier")
    assert "reasonmill[instructions]" in verdict.detail


def test_verdicts_stay_the_same_while_workers_are_killed():
    requests = [_request(LIST if n % 3 else "no list", BULLETS) for n in range(30)]

    async def work():
        told, kills = [], 0
        async with VerifierPool(VerifySettings(instructions=InstructionSettings(workers=1))) as pool:
            async for _, verdict in pool.verify_all(requests, max_open=4):
                told.append(verdict.outcome)
                if len(told) in (8, 16) and pool._instructions.pids:
                    os.kill(pool._instructions.pids[0], signal.SIGKILL)
                    kills += 1
        return told, kills

    told, kills = asyncio.run(work())
    assert told == ["pass" if n % 3 else "fail" for n in range(30)]
    assert kills == 2
