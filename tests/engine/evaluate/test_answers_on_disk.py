"""Answers that are on disk: what survives, what is asked again, what is refused."""

import asyncio
import tempfile
from dataclasses import dataclass, field, replace
from pathlib import Path

import orjson
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from reasonmill.engine.evaluate.answers import AnswerFile
from reasonmill.engine.evaluate.benchmark import Benchmark
from reasonmill.engine.evaluate.identity import asked_of
from reasonmill.engine.evaluate.prompts import PRESETS
from reasonmill.engine.evaluate.sampling import Plan, Sampling
from reasonmill.engine.records import Message, Query
from reasonmill.engine.teachers.protocol import Generation, GenerationRequest
from reasonmill.engine.teachers.settings import TeacherSettings
from reasonmill.verify.verdict import scored

TEACHER = TeacherSettings(name="t", kind="scripted", script="arithmetic:0.5")


def question(number: int) -> Query:
    message = Message(role="user", content=f"{number} + 1?")
    return Query(id=str(number), messages=(message,), category="math", source="sums", ground_truth=str(number + 1))


QUESTIONS = Benchmark(name="sums", questions=tuple(map(question, range(3))), samples_per_question=2)
PLAN = Plan(benchmark=QUESTIONS, seed=5, prompts=PRESETS["plain"], rounds=2)


@dataclass
class Counting:
    """Right in the first round where the seed is odd, in the second where it is divisible by three."""

    name: str = "t"
    max_num_seqs: int = 2
    asked: list[GenerationRequest] = field(default_factory=list)

    def watch(self, grown):
        pass

    async def generate(self, request):
        self.asked.append(request)
        await asyncio.sleep(0)
        again = "previous answer" in request.messages[-1].content
        right = request.seed % 3 == 0 if again else request.seed % 2 == 1
        value = int(request.query_id) + 1 if right else 0
        text = f"<think>wait, but wait</think><answer>\\boxed{{{value}}}</answer>"
        return Generation(text=text, finish_reason="stop", prompt_tokens=1, completion_tokens=len(text), duration_s=0.0)


@dataclass
class Boxes:
    judged: int = 0

    async def verify(self, request):
        self.judged += 1
        await asyncio.sleep(0)
        right = f"boxed{{{request.ground_truth}}}" in request.response
        return scored(float(right), verifier="boxes", reason="ok" if right else "wrong_answer")


def evaluate(folder: Path, plan: Plan = PLAN, **asked) -> tuple[list, Counting, Boxes]:
    teacher, boxes = Counting(), Boxes()
    with AnswerFile(folder, asked_of(replace(TEACHER, **asked), seed=plan.seed), name="model") as file:
        samples = asyncio.run(Sampling(teacher, boxes, plan, answers=file).run())
    return sorted(samples, key=lambda s: (s.round, s.question, s.number)), teacher, boxes


@pytest.fixture(scope="module")
def whole(tmp_path_factory) -> tuple[list, bytes, str]:
    folder = tmp_path_factory.mktemp("whole")
    samples, teacher, boxes = evaluate(folder)
    assert (len(samples), len(teacher.asked), boxes.judged) == (12, 12, 12)
    (path,) = folder.iterdir()
    return samples, path.read_bytes(), path.name


@settings(max_examples=40)
@given(share=st.floats(0, 1))
def test_cut_anywhere_the_result_is_the_same_and_no_whole_line_is_asked_for_again(whole, share):
    samples, content, name = whole
    kept = content[: round(share * len(content))]
    lines = [orjson.loads(line) for line in kept.splitlines(keepends=True) if line.endswith(b"\n")]
    with tempfile.TemporaryDirectory() as folder:
        (Path(folder) / name).write_bytes(kept)
        again, teacher, boxes = evaluate(Path(folder))
        assert again == samples
        assert len(teacher.asked) == 12 - sum(line["kind"] == "answer" for line in lines)
        assert boxes.judged == 12 - sum(line["kind"] == "verdict" for line in lines)
        third, teacher, boxes = evaluate(Path(folder))
        assert (third, teacher.asked, boxes.judged) == (samples, [], 0)


def test_a_teacher_is_needed_until_all_is_on_disk(tmp_path, whole):
    _, content, name = whole
    asked = asked_of(TEACHER, seed=5)
    for kept, complete in ((content, True), (content[: len(content) // 2], False)):
        (tmp_path / name).write_bytes(kept)
        with AnswerFile(tmp_path, asked, name="model") as file:
            assert Sampling(None, Boxes(), PLAN, answers=file).complete() is complete


def test_more_samples_and_more_rounds_ask_only_for_what_is_new(tmp_path):
    evaluate(tmp_path, replace(PLAN, rounds=1))
    more = replace(PLAN, benchmark=replace(QUESTIONS, samples_per_question=3), rounds=2)
    _, teacher, _ = evaluate(tmp_path, more)
    assert len(teacher.asked) == 9 * 2 - 6


def test_a_question_that_was_changed_is_asked_again_alone(tmp_path):
    evaluate(tmp_path)
    changed = replace(question(0), messages=(Message(role="user", content="0 plus 1?"),))
    benchmark = replace(QUESTIONS, questions=(changed, *QUESTIONS.questions[1:]))
    _, teacher, _ = evaluate(tmp_path, replace(PLAN, benchmark=benchmark))
    assert {request.query_id for request in teacher.asked} == {"0"}


def test_a_corrected_reference_is_judged_again_and_not_asked_again(tmp_path):
    evaluate(tmp_path)
    corrected = replace(question(0), ground_truth="0")
    benchmark = replace(QUESTIONS, questions=(corrected, *QUESTIONS.questions[1:]))
    _, teacher, boxes = evaluate(tmp_path, replace(PLAN, benchmark=benchmark))
    assert (teacher.asked, boxes.judged) == ([], 4)


def test_another_sampling_or_model_has_answers_of_its_own(tmp_path):
    evaluate(tmp_path)
    _, teacher, _ = evaluate(tmp_path, temperature=1.0)
    assert len(teacher.asked) == 12
    _, teacher, _ = evaluate(tmp_path, script="arithmetic:0.6")
    assert len(teacher.asked) == 12
    assert len(list(tmp_path.iterdir())) == 3


def test_how_a_model_is_served_and_called_decides_nothing(tmp_path):
    asked = asked_of(TEACHER, seed=1)
    assert asked_of(replace(TEACHER, name="other", max_num_seqs=3, gpu_memory_utilization=0.5), seed=1) == asked
    with AnswerFile(tmp_path, asked, name="one"):
        pass
    with AnswerFile(tmp_path, asked, name="other") as file:
        assert file.path.name.startswith("one-")


def test_trained_weights_are_another_model(tmp_path):
    def told(weights: bytes) -> dict:
        (tmp_path / "model.safetensors").write_bytes(weights)
        return asked_of(TeacherSettings(name="m", model=str(tmp_path)), seed=1)

    (tmp_path / "config.json").write_text("{}")
    large = bytes(3 * 2**20)
    assert told(large) == told(large)
    assert told(large) != told(b"\1" + large[1:])
    assert told(large) != told(large[:-1] + b"\1")


def test_a_damaged_line_is_named(tmp_path, whole):
    _, content, name = whole
    lines = content.splitlines(keepends=True)
    (tmp_path / name).write_bytes(b"".join([*lines[:3], lines[3][:20] + b"\n", *lines[4:]]))
    with pytest.raises(ValueError, match=r"model-.*jsonl': line 4 is damaged"):
        evaluate(tmp_path)


def test_answers_to_something_else_under_that_name_are_refused(tmp_path, whole):
    _, content, name = whole
    head = orjson.loads(content.splitlines()[0]) | {"fingerprint": "0" * 32}
    (tmp_path / name).write_bytes(orjson.dumps(head) + b"\n")
    with pytest.raises(ValueError, match="line 1 is damaged"):
        evaluate(tmp_path)


def test_two_evaluations_do_not_write_the_same_answers(tmp_path):
    with (
        AnswerFile(tmp_path, asked_of(TEACHER, seed=1), name="m"),
        pytest.raises(ValueError, match="another evaluation"),
    ):
        AnswerFile(tmp_path, asked_of(TEACHER, seed=1), name="m")


def test_asked_afresh_the_old_answers_are_kept_aside(tmp_path):
    evaluate(tmp_path)
    for number in (1, 2):
        with AnswerFile(tmp_path, asked_of(TEACHER, seed=5), name="m", fresh=True) as file:
            assert file.num_answers == 0
        assert len(list(tmp_path.glob("*.old"))) == number


def test_a_disk_without_room_leaves_whole_lines(tmp_path, monkeypatch):
    from reasonmill.engine.evaluate import answers

    written = 0

    def full(file, line, place):
        nonlocal written
        written += 1
        if written > 4:
            answers.os.ftruncate(file, place + 7)  # part of a line is there
            raise OSError(28, "No space left on device")
        return real(file, line, place)

    real = answers.os.pwrite
    monkeypatch.setattr(answers.os, "pwrite", full)
    with pytest.raises(OSError, match="No space left") as failure:
        evaluate(tmp_path)
    (path,) = tmp_path.iterdir()
    assert failure.value.filename == str(path)
    assert all(orjson.loads(line) for line in path.read_bytes().splitlines())
    monkeypatch.undo()
    samples, teacher, _ = evaluate(tmp_path)
    assert len(samples) == 12
    assert len(teacher.asked) < 12
