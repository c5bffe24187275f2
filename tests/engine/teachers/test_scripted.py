import asyncio
from pathlib import Path

import orjson
import pytest
from hypothesis import given
from hypothesis import strategies as st

from reasonmill.engine.records import Message
from reasonmill.engine.teachers.arithmetic_script import ArithmeticScript, evaluate
from reasonmill.engine.teachers.open import open_teachers
from reasonmill.engine.teachers.protocol import Generation, GenerationRequest, RequestRefused
from reasonmill.engine.teachers.scripted import ScriptedTeacher, open_scripted
from reasonmill.engine.teachers.settings import TeacherSettings


def request(query_id: str = "q", number: int = 1, seed: int = 0, text: str = "What is 2 + 3?") -> GenerationRequest:
    message = Message(role="user", content=text)
    return GenerationRequest(query_id=query_id, number=number, seed=seed, messages=(message,))


def answer(teacher: ScriptedTeacher, asked: GenerationRequest) -> Generation:
    return asyncio.run(teacher.generate(asked))


def teacher_of(script: str) -> ScriptedTeacher:
    return open_scripted(TeacherSettings(name="s", kind="scripted", script=script))


def write(path: Path, *rows: object) -> str:
    path.write_bytes(b"\n".join(map(orjson.dumps, rows)))
    return str(path)


def test_attempts_go_round_the_responses_of_a_query(tmp_path: Path) -> None:
    responses = [{"text": "first"}, {"text": "second one", "finish_reason": "length"}]
    teacher = teacher_of(write(tmp_path / "s.jsonl", {"query_id": "q", "responses": responses}))
    given_answers = [answer(teacher, request(number=number)) for number in (1, 2, 3)]
    assert [g.text for g in given_answers] == ["first", "second one", "first"]
    assert [g.finish_reason for g in given_answers] == ["stop", "length", "stop"]
    assert given_answers[1].completion_tokens == 2


def test_a_query_without_responses_is_refused(tmp_path: Path) -> None:
    teacher = teacher_of(write(tmp_path / "s.jsonl", {"query_id": "q", "responses": [{"text": "x"}]}))
    with pytest.raises(RequestRefused, match="other"):
        answer(teacher, request("other"))


@pytest.mark.parametrize(
    "row",
    [
        {"query_id": "q"},
        {"query_id": "q", "responses": []},
        {"query_id": "q", "responses": [{"text": "x", "finish_reason": "tired"}]},
        {"query_id": "q", "responses": [{"texts": "x"}]},
        ["q"],
    ],
)
def test_a_malformed_line_is_named(tmp_path: Path, row: object) -> None:
    path = write(tmp_path / "s.jsonl", {"query_id": "a", "responses": [{"text": "x"}]}, row)
    with pytest.raises(ValueError, match=r"s\.jsonl:2"):
        teacher_of(path)


def test_a_script_that_does_not_exist_is_named() -> None:
    with pytest.raises(ValueError, match="'/nowhere'"):
        teacher_of("/nowhere")


def test_the_arithmetic_script_is_right_in_the_given_share_of_seeds() -> None:
    teacher = teacher_of("arithmetic:0.6")
    texts = [answer(teacher, request(seed=seed)).text for seed in range(500)]
    share = sum(text == "<think>2 + 3 = 5</think><answer>\\boxed{5}</answer>" for text in texts) / 500
    assert 0.5 < share < 0.7
    assert texts == [answer(teacher, request(seed=seed, number=9)).text for seed in range(500)]


def test_the_arithmetic_script_refuses_what_holds_no_expression() -> None:
    with pytest.raises(RequestRefused, match="no integer expression"):
        answer(teacher_of("arithmetic:1"), request(text="Why?"))


@pytest.mark.parametrize("script", ["arithmetic:", "arithmetic:2", "arithmetic:x"])
def test_a_share_that_is_none_is_refused(script: str) -> None:
    with pytest.raises(ValueError, match=script):
        ArithmeticScript(script)


@given(
    st.integers(-99, 99),
    st.lists(st.tuples(st.sampled_from(["+", "-", "*", " + ", " - ", " * "]), st.integers(0, 99)), min_size=1),
)
def test_expressions_are_worth_what_python_says(first: int, rest: list[tuple[str, int]]) -> None:
    expression = str(first) + "".join(f"{operator}{number}" for operator, number in rest)
    assert evaluate(expression) == eval(expression)


def test_opened_teachers_keep_the_order_of_the_settings(tmp_path: Path) -> None:
    settings = [TeacherSettings(name=name, kind="scripted", script="arithmetic:1") for name in ("b", "a", "c")]

    async def names() -> list[str]:
        async with open_teachers(settings, log_dir=tmp_path) as teachers:
            return list(teachers)

    assert asyncio.run(names()) == ["b", "a", "c"]
