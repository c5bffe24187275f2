import pytest

from reasonmill.engine.flow import packing_sink
from reasonmill.engine.flow.packing_sink import PackingSink
from reasonmill.engine.records import Attempt, Message, Query, Sample, Verdict
from reasonmill.packing.byte_tokenizer import CHATML, write_byte_tokenizer
from reasonmill.packing.chat import ChatEncoder
from reasonmill.packing.dataset import PackedReader
from reasonmill.packing.settings import PackSettings

NO_TOOLS = CHATML + "{% if messages[0].role == 'tool' %}{{ raise_exception('no tools here') }}{% endif %}"


def sample(number: int, *, role: str = "user", response: str = "<think>t</think>4") -> Sample:
    query = Query(id=f"q{number}", messages=(Message(role=role, content=f"{number}?"),), category="math", source="t")
    attempt = Attempt(
        query_id=query.id,
        teacher="a",
        number=1,
        seed=1,
        text=response,
        finish_reason="stop",
        prompt_tokens=1,
        completion_tokens=1,
        duration_s=0.0,
    )
    verdict = Verdict(outcome="pass", score=1.0, verifier="v", reason="", duration_s=0.0)
    return Sample(query=query, attempt=attempt, verdict=verdict, think="t", answer="4", quality={})


@pytest.fixture
def sink(tmp_path):
    def opened(**settings) -> PackingSink:
        tokenizer = write_byte_tokenizer(tmp_path / "tokenizer", chat_template=NO_TOOLS)
        chosen = PackSettings(**{"max_length": 128, "window_documents": 64, **settings})
        return PackingSink(tmp_path / "packed", chosen, ChatEncoder(tokenizer), None)

    return opened


def test_a_sample_that_cannot_be_packed_is_refused_with_a_reason(sink):
    taking = sink()
    assert taking.append(sample(1)) is None
    assert taking.append(sample(2, response="y" * 200)) == "too_long"
    assert taking.append(sample(3, role="tool")) == "not_encodable"
    assert taking.finish()["num_documents"] == 1


def test_samples_wait_for_full_rows_no_longer_than_they_may(sink, tmp_path, monkeypatch):
    now = [100.0]
    monkeypatch.setattr(packing_sink.time, "monotonic", lambda: now[0])
    taking = sink(max_wait_s=10.0)
    rows = []
    for second in range(40):
        now[0] += 1.0
        if second < 5:
            taking.append(sample(second))
        taking.publish(taking.sync())
        rows.append(PackedReader(tmp_path / "packed").num_rows)
    assert rows[:10] == [0] * 10
    assert rows[10] > 0
    reader = PackedReader(tmp_path / "packed")
    left = [name for row in range(reader.num_rows) for name in reader.names_of(row)]
    assert sorted(left) == [f"q{number}/a" for number in range(5)]


def test_without_a_time_limit_rows_do_not_depend_on_the_clock(sink, tmp_path, monkeypatch):
    monkeypatch.delattr(packing_sink.time, "monotonic")
    taking = sink()
    for number in range(5):
        taking.append(sample(number))
        taking.publish(taking.sync())
    assert PackedReader(tmp_path / "packed").num_rows == 0
