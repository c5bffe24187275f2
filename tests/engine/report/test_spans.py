from pathlib import Path

import numpy as np
import orjson
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from reasonmill.engine.flow.trace import write_trace
from reasonmill.engine.report.spans import read_spans, read_timeline


def test_a_trace_of_ours_is_read_span_by_span(tmp_path: Path) -> None:
    spans = [("generate", "a", 1, 10.0, 2.0, {}), ("verify", "b", 1, 11.0, 0.5, None), ("train", "s", 1, 12.0, 4.0, {})]
    write_trace(tmp_path / "trace.json", spans)
    assert list(read_spans(tmp_path / "trace.json")) == [(c, s, s + d, a or {}) for c, _, _, s, d, a in spans]


@pytest.mark.parametrize("whole", [True, False])
def test_traces_on_one_line_and_bare_lists_are_read_too(whole: bool, tmp_path: Path) -> None:
    events = [{"ph": "X", "cat": "train", "ts": 1e6, "dur": 5e5}, {"ph": "M"}, {"ph": "X", "cat": "x"}]
    (tmp_path / "trace.json").write_bytes(orjson.dumps({"traceEvents": events} if whole else events))
    assert list(read_spans(tmp_path / "trace.json")) == [("train", 1.0, 1.5, {})]


def test_a_torn_trace_gives_the_spans_before_the_tear(tmp_path: Path) -> None:
    write_trace(tmp_path / "trace.json", [("train", str(n), 1, float(n), 1.0, {}) for n in range(10)])
    torn = tmp_path / "torn.json"
    torn.write_bytes((tmp_path / "trace.json").read_bytes()[:-60])
    assert list(read_spans(torn)) == list(read_spans(tmp_path / "trace.json"))[:9]


@pytest.mark.parametrize("content", [b"", b"no trace", b"{}", b'{"traceEvents": 3}'])
def test_what_is_no_trace_is_named(content: bytes, tmp_path: Path) -> None:
    (tmp_path / "trace.json").write_bytes(content)
    with pytest.raises(ValueError, match=r"trace\.json"):
        read_timeline(tmp_path / "trace.json")


def test_a_trace_without_spans_has_no_timeline(tmp_path: Path) -> None:
    write_trace(tmp_path / "trace.json", [])
    assert read_timeline(tmp_path / "trace.json") is None


@settings(deadline=None)  # an example is slow on a busy machine
@given(st.lists(st.tuples(st.sampled_from("ab"), st.floats(0, 50), st.floats(0.001, 50)), min_size=1, max_size=12))
def test_the_area_of_a_strip_is_the_length_of_its_spans(spans: list[tuple[str, float, float]]) -> None:
    import tempfile

    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "trace.json"
        write_trace(path, [(c, "", 1, start, length, {}) for c, start, length in spans])
        timeline = read_timeline(path, num_intervals=20)
    assert timeline is not None
    width = (timeline.end_s - timeline.start_s) / 20
    for category in {c for c, _, _ in spans}:
        area = float(np.sum(timeline.open_spans[category])) * width
        assert area == pytest.approx(sum(d for c, _, d in spans if c == category), rel=1e-3, abs=1e-4)
