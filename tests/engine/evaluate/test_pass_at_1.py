import asyncio
from collections.abc import Callable
from dataclasses import dataclass, field

import pytest

from reasonmill.engine.evaluate import sampling
from reasonmill.engine.evaluate.pass_at_1 import pass_at_1
from reasonmill.engine.evaluate.prompts import PRESETS
from reasonmill.engine.records import Message, Query
from reasonmill.engine.teachers.protocol import Generation, GenerationRequest, RequestRefused, TeacherFault
from reasonmill.engine.teachers.scripted import open_scripted
from reasonmill.engine.teachers.settings import TeacherSettings
from reasonmill.verify.request import VerifyRequest
from reasonmill.verify.verdict import Verdict, not_run, scored


def question(number: int, source: str = "sums") -> Query:
    text = f"What is {number} + 1?"
    message = Message(role="user", content=text)
    return Query(id=str(number), messages=(message,), category="math", source=source, ground_truth=str(number + 1))


@dataclass
class Boxes:
    """A verifier that compares boxes, and cannot check what `unsure` names; `hiccups` fail once each."""

    unsure: frozenset[str] = frozenset()
    hiccups: set[str] = field(default_factory=set)

    async def verify(self, request: VerifyRequest) -> Verdict:
        await asyncio.sleep(0)
        query_id = request.id.split("/")[0]
        if query_id in self.unsure:
            return not_run("no_verifier", verifier="boxes")
        if query_id in self.hiccups:
            self.hiccups.remove(query_id)
            return not_run("worker_died", verifier="boxes")
        right = f"boxed{{{request.ground_truth}}}" in request.response
        return scored(float(right), verifier="boxes", reason="ok" if right else "wrong_answer")


@dataclass
class Recording:
    """A teacher that answers rightly where `right` says so, and fails or refuses where told."""

    right: frozenset[int] = frozenset()
    faulty: int = 0
    refused: frozenset[str] = frozenset()
    name: str = "t"
    max_num_seqs: int = 3
    seen: list[GenerationRequest] = field(default_factory=list)
    open_now: int = 0
    most_open: int = 0

    def watch(self, grown: Callable[[], None]) -> None:
        pass

    async def generate(self, request: GenerationRequest) -> Generation:
        self.seen.append(request)
        self.open_now += 1
        self.most_open = max(self.most_open, self.open_now)
        await asyncio.sleep(0.001)
        self.open_now -= 1
        if request.query_id in self.refused:
            raise RequestRefused("too long")
        if self.faulty > 0:
            self.faulty -= 1
            raise TeacherFault("died")
        value = int(request.query_id) + 1 if int(request.query_id) in self.right else -1
        return Generation(
            text=f"\\boxed{{{value}}}", finish_reason="stop", prompt_tokens=1, completion_tokens=10, duration_s=0.0
        )


def test_every_question_is_asked_as_often_as_said_with_seeds_of_its_own() -> None:
    teacher = Recording(right=frozenset({0, 1}))
    questions = [question(i) for i in range(4)]
    result = asyncio.run(pass_at_1(teacher, questions, Boxes(), samples_per_question=5, seed=1))
    assert result.pass_at_1 == 0.5
    assert (result.num_questions, result.samples_per_question) == (4, 5)
    assert sorted((r.query_id, r.number) for r in teacher.seen) == [(str(i), n) for i in range(4) for n in range(1, 6)]
    assert len({r.seed for r in teacher.seen}) == 20
    assert teacher.most_open == 3


def test_scores_are_also_given_by_source() -> None:
    questions = [question(0, "a"), question(1, "a"), question(2, "b")]
    result = asyncio.run(
        pass_at_1(Recording(right=frozenset({0, 2})), questions, Boxes(), samples_per_question=1, seed=1)
    )
    assert result.by_source == {"a": 0.5, "b": 1.0}


def test_what_could_not_be_checked_is_in_no_score() -> None:
    questions = [question(i) for i in range(3)]
    verifier = Boxes(unsure=frozenset({"0"}))
    result = asyncio.run(
        pass_at_1(Recording(right=frozenset({1})), questions, verifier, samples_per_question=2, seed=1)
    )
    assert (result.pass_at_1, result.num_unchecked) == (0.5, 2)


def test_a_check_that_failed_in_passing_is_made_again() -> None:
    verifier = Boxes(hiccups={"0"})
    result = asyncio.run(
        pass_at_1(Recording(right=frozenset({0})), [question(0)], verifier, samples_per_question=1, seed=1)
    )
    assert (result.pass_at_1, result.num_unchecked) == (1.0, 0)


def test_a_refused_question_is_wrong() -> None:
    teacher = Recording(right=frozenset({0, 1}), refused=frozenset({"0"}))
    result = asyncio.run(pass_at_1(teacher, [question(0), question(1)], Boxes(), samples_per_question=1, seed=1))
    assert (result.pass_at_1, result.mean_completion_tokens) == (0.5, 10.0)


def test_a_fault_of_the_teacher_is_asked_again_and_too_many_end_the_evaluation(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(sampling, "FAULT_PAUSE_S", 0.01)
    once = Recording(right=frozenset({0}), faulty=2)
    result = asyncio.run(pass_at_1(once, [question(0)], Boxes(), samples_per_question=1, seed=1, max_faults=2))
    assert result.pass_at_1 == 1.0
    with pytest.raises(TeacherFault, match="died"):
        asyncio.run(pass_at_1(Recording(faulty=9), [question(0)], Boxes(), samples_per_question=1, seed=1))


def test_an_evaluation_without_questions_is_a_mistake() -> None:
    with pytest.raises(ValueError, match="no questions"):
        asyncio.run(pass_at_1(Recording(), [], Boxes(), samples_per_question=1, seed=1))


def test_the_prompts_go_around_the_question() -> None:
    teacher = Recording()
    asyncio.run(pass_at_1(teacher, [question(0)], Boxes(), samples_per_question=1, seed=1, prompts=PRESETS["nac"]))
    system, user = teacher.seen[0].messages
    assert system.role == "system"
    assert "<think> reasoning process here </think> <answer> answer here </answer>." in system.content
    expected = "What is 0 + 1?\nLet’s think step by step and output the final answer within \\box."
    assert user.content == expected


def test_the_mean_is_unbiased_and_repeats_with_the_seed() -> None:
    teacher = open_scripted(TeacherSettings(name="s", kind="scripted", script="arithmetic:0.7"))
    questions = [question(i) for i in range(200)]
    first, second, other = (
        asyncio.run(pass_at_1(teacher, questions, Boxes(), samples_per_question=4, seed=seed)) for seed in (1, 1, 2)
    )
    assert first == second
    assert first.pass_at_1 != other.pass_at_1
    assert first.pass_at_1 is not None
    assert first.stderr is not None
    assert abs(first.pass_at_1 - 0.7) < 5 * first.stderr
    assert 0.01 < first.stderr < 0.03  # sqrt(0.21 / 800) = 0.016
