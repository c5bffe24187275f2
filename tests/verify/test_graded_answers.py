"""Every answer of the graded table gets its mark by rule, in both directions where the rules have no direction."""

import importlib.util
from pathlib import Path

import pytest

from reasonmill.verify.math_answer import decide

_SPEC = importlib.util.spec_from_file_location("graded_answers", Path(__file__).with_name("graded_answers.py"))
assert _SPEC is not None
assert _SPEC.loader is not None
_TABLE = importlib.util.module_from_spec(_SPEC)
_SPEC.loader.exec_module(_TABLE)


@pytest.mark.parametrize(("gold", "right", "wrong"), _TABLE.GRADED)
def test_an_answer_gets_the_mark_that_a_careful_grader_gives(gold, right, wrong):
    assert [answer for answer in right if decide(gold, answer) is not True] == []
    assert [answer for answer in wrong if decide(gold, answer) is not False] == []
