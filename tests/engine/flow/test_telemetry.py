"""Telemetry: what is kept does not grow with the number of items, and says the same of them."""

from contextlib import ExitStack, closing

from reasonmill.engine.flow import telemetry as telemetry_module
from reasonmill.engine.flow.telemetry import Telemetry
from reasonmill.engine.flow.trace import read_spans, union_length


class Clock:
    """Time that passes when it is told to."""

    def __init__(self):
        self.now = 100.0

    def perf_counter(self):
        return self.now

    def time(self):
        return self.now + 1000.0


def spans_of(folder):
    return list(read_spans(folder / "logs" / "spans.jsonl"))


def test_past_their_limit_spans_merge_into_stretches_that_cover_the_same_time(tmp_path, monkeypatch):
    clock = Clock()
    monkeypatch.setattr(telemetry_module, "time", clock)
    with closing(Telemetry(tmp_path, max_spans=2)) as telemetry:
        for number in range(6):
            with telemetry.work("verify", "math", number=number):
                clock.now += 1.0
            clock.now += 0.001 if number < 4 else 0.5  # a pause that ends a stretch only where it is long
    spans = spans_of(tmp_path)
    assert [(name, args) for _, name, _, _, _, args in spans] == [
        ("math", {"number": 0}),
        ("math", {"number": 1}),
        ("many", {"spans": 3, "open": 1.0}),
        ("many", {"spans": 1, "open": 1.0}),
    ]
    busy = union_length((start, start + length) for _, _, _, start, length, _ in spans)
    assert abs(busy - 6.002) < 1e-6
    assert telemetry.stages()[0]["items"] == 6


def test_a_stretch_says_how_many_spans_were_open_and_goes_on_over_a_tick(tmp_path, monkeypatch):
    clock = Clock()
    monkeypatch.setattr(telemetry_module, "time", clock)
    with closing(Telemetry(tmp_path, max_spans=0)) as telemetry, ExitStack() as open_spans:
        open_spans.enter_context(telemetry.work("generate", "a"))
        clock.now += 1.0
        open_spans.enter_context(telemetry.work("generate", "b"))
        clock.now += 1.0
        telemetry.tick()
        clock.now += 2.0
        open_spans.close()
    first, second = spans_of(tmp_path)
    assert first[3:] == (1100.0, 2.0, {"spans": 0, "open": 1.5})
    assert second[3:] == (1102.0, 2.0, {"spans": 2, "open": 2.0})


def test_the_file_of_a_long_run_stays_small(tmp_path):
    with closing(Telemetry(tmp_path, max_spans=10)) as telemetry:
        for _ in range(5000):
            with telemetry.work("verify", "math"):
                pass
    assert len(spans_of(tmp_path)) < 100
