"""What a run shows while it goes on, and when it has ended."""

import io

import pytest
from rich.console import Console

from reasonmill.engine.flow.progress import Progress
from reasonmill.engine.flow.telemetry import Telemetry


@pytest.fixture
def shown(tmp_path):
    """What one line of progress says after `prepare` had its way with the telemetry."""

    def show(prepare, *, seconds=0.0):
        text = io.StringIO()
        telemetry = Telemetry(tmp_path)
        try:
            with Progress(Console(file=text, width=400), telemetry, tmp_path / "none.jsonl") as progress:
                prepare(telemetry, progress)
                progress.show()
        finally:
            telemetry.close()
        return text.getvalue()

    return show


def test_a_run_that_cannot_ask_yet_says_what_it_waits_for(shown):
    def waits(telemetry, progress):
        telemetry.waiting_for = "the teachers to start"

    assert "waiting for the teachers to start · generating 0" in shown(waits)
    assert "waiting for" not in shown(lambda telemetry, progress: None)


def test_a_line_without_a_terminal_tells_acceptance_by_category_and_retries(shown):
    def counts(telemetry, progress):
        for name, number in {"judged_math": 4, "accepted_math": 3, "judged_code": 1, "retries": 2}.items():
            telemetry.count(name, number)

    line = shown(counts)
    assert "accepted, math 3 of 4 (75%) · accepted, code 0 of 1 (0%)" in line
    assert "retries 2" in line
    assert "science" not in line


@pytest.mark.parametrize(
    ("elapsed_s", "told"), [(10.0, "90 s left"), (100.0, "15 min left"), (4000.0, "10 h left"), (0.0, "10 of 100 ·")]
)
def test_the_time_left_is_told_in_a_unit_that_fits(shown, elapsed_s, told):
    def answered(telemetry, progress):
        telemetry.count("queries", 100)
        telemetry.count("decided", 10)
        telemetry.count("attempts", 10)
        telemetry.count("retries")
        if elapsed_s:
            progress._first = (progress._started - elapsed_s, 0)

    assert told in shown(answered)
