"""The asker's schedule in virtual time: deferral, drain, budgets, modes, bounds."""

import asyncio

import pytest

from reasonmill.engine.distill.settings import AttemptSettings
from reasonmill.engine.teachers.protocol import TeacherFault
from reasonmill.verify.verdict import not_run, scored


def right_at(numbers, seconds=10.0):
    """Outcomes where query i is right at its attempt numbers[i], never at 0."""
    return lambda ordinal, number: ("right" if number == numbers[ordinal] else "wrong", seconds)


def test_a_hopeless_query_is_set_aside_until_all_others_were_asked(distil, timed_teacher):
    numbers = [0] + [1] * 30
    teacher = timed_teacher(right_at(numbers), max_num_seqs=1)
    world = distil([teacher], 31, AttemptSettings(max_attempts=6, defer_after=2, order="arrival", drain=False))
    order = [ordinal for ordinal, _, _ in teacher.asked]
    assert order.index(0) == 0
    assert order[:4].count(0) == 2
    assert order[-4:] == [0, 0, 0, 0]
    assert world.decided == [*range(1, 31), 0]
    assert world.rows("SELECT number, last, reason FROM pairs WHERE ordinal = 0") == [(None, 6, "wrong_answer")]


def test_the_drain_asks_several_attempts_at_once_and_ends_as_one_by_one(distil, timed_teacher, tmp_path_factory):
    numbers = [6, 1, 0]
    teacher = timed_teacher(right_at(numbers), max_num_seqs=8)
    world = distil([teacher], 3, AttemptSettings(max_attempts=8, defer_after=3))
    assert world.wall_s < 60.0  # one by one: 8 attempts of 10 s
    assert world.rows("SELECT ordinal, number, last, reason FROM pairs ORDER BY 1") == [
        (0, 6, 6, "ok"),
        (1, 1, 1, "ok"),
        (2, None, 8, "wrong_answer"),
    ]
    assert teacher.most_open <= 8


def test_losers_of_the_drain_are_cancelled_and_count_for_nothing(distil, timed_teacher):
    def outcome(ordinal, number):
        return ("right" if number in (2, 3) else "wrong", {1: 10.0, 2: 20.0, 3: 5.0}.get(number, 500.0))

    world = distil([timed_teacher(outcome)], 1, AttemptSettings(max_attempts=8))
    assert world.rows("SELECT number, last FROM pairs") == [(2, 2)]  # not 3, though it was there first
    assert world.wall_s < 60.0  # and nobody waited for attempt 4
    assert world.counters["accepted"] == 1


def test_room_that_shrinks_and_grows_is_kept_full_and_never_exceeded(distil, timed_teacher):
    class Breathing(timed_teacher):
        async def generate(self, request):
            assert self.open < self.max_num_seqs, "asked beyond its room"
            answer = await super().generate(request)
            if len(self.ended) == 20:
                self.max_num_seqs = 2
            if len(self.ended) == 40:
                self.max_num_seqs = 16
                self.grown()
            return answer

    teacher = Breathing(right_at([1] * 100), max_num_seqs=8)
    world = distil([teacher], 100, AttemptSettings(drain=False))
    assert len(world.decided) == 100
    assert teacher.most_open == 16


def test_slow_checks_slow_asking_and_never_pile_up(distil, timed_teacher):
    checked, waiting = [], []

    def checks(request):
        waiting.append(len(teacher.ended) - len(checked))
        checked.append(request.id)
        return scored(1.0, verifier="fake", reason="ok")

    teacher = timed_teacher(right_at([1] * 60, seconds=1.0), max_num_seqs=8)
    world = distil([teacher], 60, AttemptSettings(max_unjudged=5), check_s=100.0, checks=checks)
    assert len(world.decided) == 60
    # below five unjudged answers the places are filled: eight more may then end at once
    assert max(waiting) <= 4 + 8


def test_a_query_is_opened_only_when_there_is_room(distil, timed_teacher):
    teacher = timed_teacher(right_at([1] * 50), max_num_seqs=50)
    world = distil([teacher], 50, AttemptSettings(max_open_queries=3))
    assert teacher.most_open == 3
    assert len(world.decided) == 50


@pytest.mark.parametrize("budget", [{"max_tokens_total": 200}, {"max_hours": 0.01}])
def test_when_the_runs_budget_is_spent_what_is_open_ends_with_that_reason(distil, timed_teacher, budget):
    teacher = timed_teacher(right_at([2] * 100), max_num_seqs=4)
    world = distil([teacher], 100, AttemptSettings(drain=False, **budget))
    reasons = dict(world.rows("SELECT reason, count(*) FROM pairs GROUP BY 1"))
    assert sum(reasons.values()) == 100
    assert len(world.decided) == 100
    spent = next(reason for reason in reasons if reason.startswith("run_"))
    assert reasons[spent] > 50
    assert len(teacher.asked) < 60


def test_k_responses_are_asked_at_once_and_all_of_them_are_kept(distil, timed_teacher):
    teacher = timed_teacher(lambda o, n: ("right" if n % 2 else "wrong", 10.0), max_num_seqs=8)
    world = distil([teacher], 4, AttemptSettings(mode="k_pass", responses=4))
    assert world.wall_s < 40.0
    assert world.rows("SELECT number, last FROM pairs") == [(1, 4)] * 4
    assert world.rows("SELECT number, count(*) FROM attempts WHERE outcome = 'pass' GROUP BY 1") == [(1, 4), (3, 4)]
    assert world.counters["accepted"] == 8


def test_a_round_is_asked_with_the_answer_of_the_one_before_it(distil, timed_teacher):
    answers = {1: "seven", 2: "eight", 3: "right"}
    teacher = timed_teacher(lambda o, n: (answers[n], 1.0))
    distil([teacher], 1, AttemptSettings(mode="multi_round", max_attempts=3))
    assert [prompt for _, _, prompt in teacher.asked] == [
        "0?",
        "0?\nThe assistant\u2019s previous answer is: <answer> seven </answer>, and please re-answer.",
        "0?\nThe assistant\u2019s previous answer is: <answer> eight </answer>, and please re-answer.",
    ]


def test_rounds_go_on_after_a_stop_where_they_were(distil, timed_teacher):
    answers = {1: "seven", 2: "eight", 3: "right"}
    settings = AttemptSettings(mode="multi_round", max_attempts=3)
    distil([timed_teacher(lambda o, n: (answers[n], 10.0))], 1, settings, until=25.0)
    later = timed_teacher(lambda o, n: (answers[n], 10.0))
    world = distil([later], 1, settings)
    assert [number for _, number, _ in later.asked] == [3]
    assert "<answer> eight </answer>" in later.asked[0][2]
    assert world.rows("SELECT number FROM pairs") == [(3,)]


@pytest.mark.parametrize("until", [5.0, 12.0, 19.0, 27.0, 35.0, 52.0])
def test_no_attempt_that_had_ended_is_asked_again_after_a_stop(distil, timed_teacher, until):
    numbers = [1, 2, 0, 3, 5, 1, 2, 0, 4, 1]
    settings = AttemptSettings(max_attempts=6, defer_after=2)
    first = timed_teacher(lambda o, n: ("right" if n == numbers[o] else "wrong", 3.0 + (o * 7 + n * 3) % 11))
    distil([first], 10, settings, until=until)
    second = timed_teacher(first.outcome)
    world = distil([second], 10, settings)
    again = {(o, n) for o, n, _ in second.asked} & set(first.ended)
    assert not again
    expected = [(o, n or None, n or 6) for o, n in enumerate(numbers)]
    assert world.rows("SELECT ordinal, number, last FROM pairs ORDER BY 1") == expected


def test_a_request_that_is_cancelled_inside_the_teacher_is_asked_again(distil, timed_teacher):
    class Torn(timed_teacher):
        async def generate(self, request):
            answer = await super().generate(request)
            if request.number == 1 and len(self.asked) < 4:
                raise asyncio.CancelledError
            return answer

    teacher = Torn(right_at([1, 1]))
    world = distil([teacher], 2, AttemptSettings(drain=False))
    assert world.rows("SELECT ordinal, number FROM pairs ORDER BY 1") == [(0, 1), (1, 1)]
    assert world.counters["teacher_faults"] > 0


def test_a_lower_number_that_is_lost_in_the_drain_is_asked_until_the_pair_is_settled(distil, timed_teacher):
    lost = []

    class Torn(timed_teacher):
        async def generate(self, request):
            answer = await super().generate(request)
            if request.number == 2 and len(lost) < 3:
                lost.append(request.number)
                raise TeacherFault("broke off midway")
            return answer

    teacher = Torn(lambda o, n: ("right" if n == 3 else "wrong", 30.0 if n == 2 else 5.0), max_num_seqs=8)
    world = distil([teacher], 1, AttemptSettings(max_attempts=6))
    assert world.rows("SELECT number, last FROM pairs") == [(3, 3)]
    assert len(lost) == 3


def test_an_answer_whose_check_cannot_be_made_keeps_its_place_and_its_attempt(distil, timed_teacher):
    tries = []

    def checks(request):
        tries.append(request.id)
        if len(tries) < 5:
            return not_run("judge_unreachable", verifier="judge")
        return scored(1.0, verifier="judge", reason="ok")

    teacher = timed_teacher(right_at([1]))
    world = distil([teacher], 1, AttemptSettings(drain=False), checks=checks)
    assert [number for _, number, _ in teacher.asked] == [1]
    assert world.rows("SELECT number, last FROM pairs") == [(1, 1)]
    assert world.counters["checks_repeated"] == 4


def test_a_fault_below_open_attempts_holds_nobody_up(distil, timed_teacher):
    """Attempt 2 breaks off while 3 and 4 are under way; 3 is accepted, 4 is cancelled: 2 is still to be asked."""
    faults = []

    class Torn(timed_teacher):
        async def generate(self, request):
            if request.number == 2 and not faults:
                faults.append(request.number)
                await asyncio.sleep(1.0)
                raise TeacherFault("broke off midway")
            return await super().generate(request)

    teacher = Torn(
        lambda o, n: ("right" if n == 3 else "wrong", {1: 5.0, 2: 5.0, 3: 20.0}.get(n, 300.0)), max_num_seqs=3
    )
    world = distil([teacher], 1, AttemptSettings(max_attempts=6))
    assert faults
    assert world.rows("SELECT number, last FROM pairs") == [(3, 3)]
    assert world.wall_s < 100.0
