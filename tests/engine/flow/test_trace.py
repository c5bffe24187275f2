"""Spans: lanes do not overlap, a torn log is read, the overlap ratio is what its docstring says."""

import orjson
import pytest
from hypothesis import given
from hypothesis import strategies as st

from reasonmill.engine.flow.telemetry import Telemetry
from reasonmill.engine.flow.trace import overlap_ratio, read_spans, training_spans, union_length, write_trace


def test_stages_one_after_another_have_the_ratio_one_and_all_at_once_three():
    assert overlap_ratio({"generate": [(0, 1)], "verify": [(1, 2)], "train": [(2, 3)]}) == 1.0
    assert overlap_ratio({"generate": [(0, 1)], "verify": [(0, 1)], "train": [(0, 1)]}) == 3.0
    assert overlap_ratio({"generate": [(0, 2)], "train": [(1, 2)], "evaluate": [(5, 9)]}) == 1.5
    assert overlap_ratio({}) is None


@given(st.lists(st.tuples(st.integers(0, 50), st.integers(0, 20)).map(lambda p: (p[0], p[0] + p[1]))))
def test_the_length_of_a_union_counts_every_second_once(intervals):
    covered = {second for start, end in intervals for second in range(start, end)}
    assert union_length(intervals) == len(covered)


def test_concurrent_spans_have_lanes_of_their_own(tmp_path):
    telemetry = Telemetry(tmp_path)
    with telemetry.work("generate", "a"), telemetry.work("generate", "b"), telemetry.work("verify", "c"):
        assert telemetry.active("generate") == 2
    with telemetry.work("generate", "d"):
        pass
    telemetry.close()
    spans = list(read_spans(tmp_path / "logs" / "spans.jsonl"))
    assert {(s[1], s[2]) for s in spans} == {("a", 1), ("b", 2), ("c", 1), ("d", 1)}
    write_trace(tmp_path / "trace.json", iter(spans))
    trace = orjson.loads((tmp_path / "trace.json").read_bytes())
    assert sum(event["ph"] == "X" for event in trace["traceEvents"]) == 4


def test_a_torn_last_line_is_left_out(tmp_path):
    (tmp_path / "spans.jsonl").write_bytes(b'["generate","a",1,1.0,2.0,{}]\n["generate","b",1,')
    assert [s[1] for s in read_spans(tmp_path / "spans.jsonl")] == ["a"]


def test_a_step_that_waited_for_data_did_not_train_meanwhile(tmp_path):
    (tmp_path / "m.jsonl").write_bytes(
        orjson.dumps({"step": 1, "start_unix_s": 10.0, "end_unix_s": 20.0, "data_wait_s": 9.0}) + b"\n"
    )
    ((category, _, _, start, duration, _),) = training_spans(tmp_path / "m.jsonl")
    assert (category, start) == ("train", 19.0)
    assert duration == pytest.approx(1.0)
