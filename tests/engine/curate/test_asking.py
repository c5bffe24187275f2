"""Questions to a model about queries: every query gets one answer or a reason, whatever the model does."""

import asyncio

import pytest

from reasonmill.engine.curate import asking
from reasonmill.engine.curate.asking import Question, ask_all
from reasonmill.engine.curate.labels import DIFFICULTIES
from reasonmill.engine.curate.questions import COMPLETE, DIFFICULTY, TOPIC
from reasonmill.engine.faults import RunFailed
from reasonmill.engine.records import Message, Query
from reasonmill.engine.teachers.protocol import Generation, GenerationRequest, RequestRefused, TeacherFault


def query(text: str) -> Query:
    return Query(id=f"id-{text}", messages=(Message(role="user", content=text),), category="math", source="test")


class Model:
    """Answers by what stands in the prompt."""

    name = "model"
    max_num_seqs = 3

    def __init__(self) -> None:
        self.requests: list[GenerationRequest] = []
        self.open = 0
        self.most_open = 0

    def watch(self, grown: object) -> None:
        """Its room never changes."""

    async def generate(self, request: GenerationRequest) -> Generation:
        self.requests.append(request)
        self.open += 1
        self.most_open = max(self.most_open, self.open)
        await asyncio.sleep(0)
        self.open -= 1
        text = request.messages[0].content
        if "refuse" in text:
            raise RequestRefused("longer than its context")
        if "flaky" in text and request.number == 1 and len(self.requests) < 2:
            raise TeacherFault("connection lost")
        if "broken" in text:
            raise TeacherFault("connection lost")
        reply = "babble" if "babble" in text or ("second" in text and request.number == 1) else "yes"
        return Generation(text=reply, finish_reason="stop", prompt_tokens=1, completion_tokens=1, duration_s=0.0)


YES: Question[bool] = Question(name="yes", ask=lambda q: q.text, read=lambda reply: True if reply == "yes" else None)


def answers(model: Model, *texts: str) -> list[tuple[bool | None, str]]:
    found = asyncio.run(ask_all(model, YES, [query(text) for text in texts], max_asked=2, max_faults=2))
    return [(answer.value, answer.reason) for answer in found]


def test_every_query_gets_its_answer_in_order() -> None:
    model = Model()
    texts = ["a", "refuse", "second", "babble", *"bcdefgh"]
    found = answers(model, *texts)
    assert found[:4] == [
        (True, ""),
        (None, "refused: longer than its context"),
        (True, ""),
        (None, "2 replies could not be read"),
    ]
    assert found[4:] == [(True, "")] * 7
    assert model.most_open == 3


def test_the_same_question_about_the_same_query_has_the_same_seed_and_a_second_try_another() -> None:
    first, second = Model(), Model()
    answers(first, "babble", "a")
    answers(second, "a", "babble")
    seeds = {(r.query_id, r.number): r.seed for r in first.requests}
    assert seeds == {(r.query_id, r.number): r.seed for r in second.requests}
    assert len(set(seeds.values())) == 3


def test_a_fault_of_the_model_is_no_answer(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(asking, "_PAUSE_S", 0.0)
    assert answers(Model(), "flaky") == [(True, "")]
    with pytest.raises(RunFailed, match="model failed 2 times in a row; the last time: connection lost"):
        answers(Model(), "a", "broken", "b")


def test_nothing_is_asked_about_nothing() -> None:
    assert answers(Model()) == []


@pytest.mark.parametrize(
    ("reply", "found"),
    [
        ('{"complete": false}', False),
        ('<think>{"complete": false}</think>\n```json\n{"complete": true}\n```', True),
        ('First I thought {"complete": true}, but no: {"complete": false}', False),
        ('{"complete": "no"}', None),
        ("It is complete.", None),
        ('{"complete": tru', None),
        ("", None),
    ],
)
def test_completeness_is_read_from_the_last_object(reply: str, found: bool | None) -> None:
    assert COMPLETE.read(reply) is found


def test_labels_are_those_of_the_report_however_they_are_written() -> None:
    for label in DIFFICULTIES:
        assert DIFFICULTY.read(f'{{"difficulty": "{label.title().replace(" ", "_")}"}}') == label
    assert DIFFICULTY.read('{"difficulty": "impossible"}') is None
    assert DIFFICULTY.read('{"topic": "easy"}') is None
    assert TOPIC.read('{"topic": "Creative-Writing"}') == "creative writing"


def test_of_a_long_query_both_ends_are_shown() -> None:
    text = DIFFICULTY.ask(query("start " + "x" * 100_000 + " end"))
    assert len(text) < 10_000
    assert "start " in text
    assert " end\n</query>" in text
