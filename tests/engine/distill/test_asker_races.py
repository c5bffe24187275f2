"""Two attempts of one pair that end at the same moment, while the journal is full: the pair still ends once."""

import pytest

from reasonmill.engine.distill.settings import AttemptSettings
from reasonmill.engine.store import journal as journal_module
from reasonmill.verify.verdict import not_run, scored


@pytest.fixture
def _full_journal(monkeypatch):
    """Whoever says something to the journal waits until it is written."""
    monkeypatch.setattr(journal_module, "MAX_PENDING", 0)


def ends(world):
    return world.rows("SELECT ordinal, number, last, reason FROM pairs ORDER BY 1")


@pytest.mark.usefixtures("_full_journal")
@pytest.mark.parametrize("right", [1, 2, 3, 5, 0])
def test_attempts_that_end_together_settle_their_pair_once(distil, timed_teacher, right):
    def outcome(ordinal, number):
        word = "right" if right and number >= right else "wrong"
        return word, 10.0 if number == 1 else 5.0 * max(1, 3 - number)

    world = distil([timed_teacher(outcome, max_num_seqs=40)], 6, AttemptSettings(max_attempts=6, defer_after=3))
    expected = (right, right, "ok") if right else (None, 6, "wrong_answer")
    assert ends(world) == [(ordinal, *expected) for ordinal in range(6)]
    assert sorted(world.decided) == list(range(6))
    assert world.counters.get("accepted", 0) == (6 if right else 0)
    assert world.counters.get("unanswered", 0) == (0 if right else 6)


@pytest.mark.parametrize("first", ["right", "wrong"])
def test_a_check_given_up_on_a_later_attempt_waits_for_the_earlier_ones(distil, timed_teacher, first):
    """Attempt 2 is there long before attempt 1, and its check cannot be made until attempt 1 has been judged."""
    checks_of_2 = []

    def outcome(ordinal, number):
        return (first if number == 1 else "right second"), 400.0 if number == 1 else 5.0

    def checks(request):
        if "second" in request.response and len(checks_of_2) < 5:
            checks_of_2.append(request.id)
            return not_run("judge_unreachable", verifier="fake")
        return scored(float("right" in request.response), verifier="fake", reason="ok")

    settings = AttemptSettings(max_attempts=2, max_check_retries=0)
    world = distil([timed_teacher(outcome)], 1, settings, checks=checks)
    accepted = 1 if first == "right" else 2
    assert ends(world) == [(0, accepted, accepted, "ok")]
    assert len(checks_of_2) > 1
