"""vLLM itself, once: one engine with the embedded teacher serves all tests of this file, in order."""

import asyncio
import os
import re
import signal
from collections.abc import Iterator
from dataclasses import dataclass
from importlib.util import find_spec
from pathlib import Path

import pytest

from reasonmill.engine.embedded import TINY_TEACHER
from reasonmill.engine.records import Message
from reasonmill.engine.teachers.loop_settings import LoopBreakerSettings
from reasonmill.engine.teachers.open import open_teachers
from reasonmill.engine.teachers.protocol import Generation, GenerationRequest, RequestRefused, TeacherFault
from reasonmill.engine.teachers.settings import TeacherSettings
from reasonmill.engine.teachers.vllm_teacher import VllmTeacher

QUESTIONS = [f"What is {i * 37 % 90 + 10} + {i * 91 % 80 + 11}?" for i in range(24)]
COMMON = {"model": str(TINY_TEACHER), "max_model_len": 256, "max_num_seqs": 16, "max_tokens": 200}

HAN_ONLY = LoopBreakerSettings(script="han", language_span=64)


@dataclass
class Served:
    runner: asyncio.Runner
    teachers: dict[str, VllmTeacher]
    logs: Path

    def answers(self, name: str, questions: list[str], *, seed: int = 5) -> list[Generation]:
        """The answers of a teacher, all asked at once."""

        async def ask() -> list[Generation]:
            teacher = self.teachers[name]
            return await asyncio.gather(*(teacher.generate(request(text, seed=seed)) for text in questions))

        return self.runner.run(ask())

    @property
    def engine_pid(self) -> int:
        pid = self.teachers["warm"]._engine.pid
        assert pid is not None
        return pid


def request(text: str, *, seed: int = 5) -> GenerationRequest:
    return GenerationRequest(query_id=text, number=1, seed=seed, messages=(Message(role="user", content=text),))


@pytest.fixture(scope="module")
def served(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Served]:
    assert find_spec("vllm") is not None, "the tests need vLLM: pip install -r requirements/cpu.lock"
    logs = tmp_path_factory.mktemp("logs")
    settings = [
        TeacherSettings(name="warm", temperature=2.0, top_p=1.0, **COMMON),
        TeacherSettings(name="greedy", temperature=0.0, **COMMON),
        TeacherSettings(name="led", temperature=0.0, generation_prompt="<think>ones:", **COMMON),
        TeacherSettings(name="strict", temperature=2.0, top_p=1.0, loop_breaker=HAN_ONLY, **COMMON),
    ]
    with asyncio.Runner() as runner:
        opened = open_teachers(settings, log_dir=logs)
        teachers = runner.run(opened.__aenter__())
        try:
            yield Served(runner, teachers, logs)  # type: ignore[arg-type]
        finally:
            runner.run(opened.__aexit__(None, None, None))


def test_the_embedded_teacher_answers_in_its_format(served: Served) -> None:
    answers = served.answers("greedy", QUESTIONS)
    formed = [a for a in answers if re.fullmatch(r"<think>.+</think><answer>\\boxed\{\d+\}</answer>", a.text)]
    assert len(formed) > len(answers) / 2
    assert {a.finish_reason for a in answers} <= {"stop", "length"}
    assert all(a.prompt_tokens > 5 and 5 < a.completion_tokens <= 200 and a.duration_s > 0 for a in answers)


def test_the_seed_decides_the_answer_whatever_else_is_in_the_batch(served: Served) -> None:
    together = served.answers("warm", QUESTIONS)
    assert [a.text for a in served.answers("warm", QUESTIONS[::-1])][::-1] == [a.text for a in together]
    assert served.answers("warm", QUESTIONS[3:4])[0].text == together[3].text
    assert [a.text for a in served.answers("warm", QUESTIONS, seed=6)] != [a.text for a in together]


def test_teachers_of_one_model_share_an_engine(served: Served) -> None:
    assert len({teacher._engine.pid for teacher in served.teachers.values()}) == 1


def test_a_generation_prompt_is_part_of_the_answer(served: Served) -> None:
    assert all(a.text.startswith("<think>ones:") for a in served.answers("led", QUESTIONS[:4]))


def test_max_tokens_ends_an_answer_with_the_reason_length(served: Served) -> None:
    short = served.teachers["greedy"].asked_as(TeacherSettings(name="short", **{**COMMON, "max_tokens": 3}))
    answer = served.runner.run(short.generate(request(QUESTIONS[0])))
    assert (answer.finish_reason, answer.completion_tokens) == ("length", 3)


def test_a_prompt_longer_than_the_context_is_refused_with_both_lengths(served: Served) -> None:
    with pytest.raises(RequestRefused, match=r"the prompt has \d+ tokens, the context 256"):
        served.answers("warm", ["What is 1 + 1? " * 100])


def test_a_cancelled_request_frees_its_place(served: Served) -> None:
    async def cancel_all() -> None:
        teacher = served.teachers["warm"]
        tasks = [asyncio.ensure_future(teacher.generate(request(q, seed=i))) for i, q in enumerate(QUESTIONS * 10)]
        await asyncio.sleep(0.2)
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)
        async with asyncio.timeout(20):
            await teacher.generate(request(QUESTIONS[0]))

    served.runner.run(cancel_all())
    assert len(served.answers("greedy", QUESTIONS[:2])) == 2


def test_a_killed_engine_faults_its_open_requests_and_comes_back_with_the_same_answers(served: Served) -> None:
    before = [a.text for a in served.answers("warm", QUESTIONS)]
    pid = served.engine_pid

    async def kill() -> list[Generation | BaseException]:
        teacher = served.teachers["warm"]
        tasks = [asyncio.ensure_future(teacher.generate(request(q))) for q in QUESTIONS]
        await asyncio.sleep(0.05)
        os.kill(pid, signal.SIGKILL)
        async with asyncio.timeout(5):
            return await asyncio.gather(*tasks, return_exceptions=True)

    outcomes = served.runner.run(kill())
    assert [o for o in outcomes if isinstance(o, TeacherFault)]
    assert all(isinstance(o, Generation | TeacherFault) for o in outcomes)
    assert [a.text for a in served.answers("warm", QUESTIONS)] == before
    assert served.engine_pid != pid


def test_an_answer_that_goes_nowhere_is_broken_off_and_tells_what_that_saved(served: Served) -> None:
    answers = served.answers("strict", QUESTIONS)
    broken = [a for a in answers if a.finish_reason == "language"]
    assert broken
    assert all(len(a.text) == 256 for a in broken)
    assert served.answers("strict", QUESTIONS[:3])[0].text == answers[0].text
    assert len(served.answers("greedy", QUESTIONS[:2])) == 2  # what was aborted has left the engine


def test_what_vllm_says_is_in_a_log_file(served: Served) -> None:
    assert "Initializing a V1 LLM engine" in (served.logs / "engine-warm.log").read_text()


def test_nothing_in_this_process_has_imported_vllm(served: Served) -> None:
    import sys

    assert "vllm" not in sys.modules
