from pathlib import Path

import orjson
import pytest

from reasonmill.engine.report.journal_figures import read_journal
from reasonmill.engine.report.run_figures import gather
from reasonmill.engine.report.run_files import MAX_TICKS, read_json_lines, read_run
from reasonmill.engine.report.sections.dataset import bin_labels, bin_width
from reasonmill.engine.report.sections.pace import rates
from reasonmill.engine.store.journal import JournalError


def test_the_journal_counts_what_the_run_did(run_dir: Path) -> None:
    journal = read_journal(run_dir / "journal.sqlite")
    summary = orjson.loads((run_dir / "summary.json").read_bytes())
    assert journal.num_queries == summary["kept"] == 400
    assert sum(journal.pairs.values()) == summary["pairs"]
    assert sum(journal.accepted.values()) == summary["accepted"]
    assert sum(journal.attempts.values()) == summary["attempts"]
    assert journal.generated_tokens == summary["generated_tokens"]
    assert journal.accepted_tokens == summary["accepted_tokens"]
    assert dict(journal.unanswered) == summary["unanswered"]
    assert sum(journal.rejects.values()) == sum(summary["removed"].values())
    assert sum(journal.answered_by.values()) == 400
    assert sum(answers * n for answers, n in journal.answered_by.items()) == summary["accepted"]


def test_a_journal_that_is_none_is_an_error_and_nothing_is_made(tmp_path: Path) -> None:
    with pytest.raises(JournalError, match="there is none"):
        read_journal(tmp_path / "journal.sqlite")
    assert list(tmp_path.iterdir()) == []


def test_a_step_that_was_made_again_counts_as_it_was_made_last(run_dir: Path, tmp_path: Path) -> None:
    (tmp_path / "train").mkdir()
    lines = [{"step": 1, "loss": 3.0}, {"step": 2, "loss": 2.0}, {"step": 2, "loss": 2.5}, {"step": 3, "loss": 1.0}]
    (tmp_path / "train" / "metrics.jsonl").write_bytes(b"\n".join(orjson.dumps(line) for line in lines))
    assert [step["loss"] for step in read_run(tmp_path).steps] == [3.0, 2.5, 1.0]


def test_long_metrics_are_thinned_and_keep_their_ends(tmp_path: Path) -> None:
    number = 10 * MAX_TICKS + 7
    (tmp_path / "metrics.jsonl").write_bytes(b"".join(b'{"unix_s": %d}\n' % n for n in range(number)))
    ticks = read_run(tmp_path).ticks
    assert MAX_TICKS <= len(ticks) <= 2 * MAX_TICKS + 1
    assert (ticks[0]["unix_s"], ticks[-1]["unix_s"]) == (0, number - 1)


def test_torn_and_foreign_lines_are_left_out(tmp_path: Path) -> None:
    (tmp_path / "x.jsonl").write_text('{"a": 1}\n[2]\n{"b": \n')
    assert list(read_json_lines(tmp_path / "x.jsonl")) == [{"a": 1}]
    assert list(read_json_lines(tmp_path / "absent.jsonl")) == []


def test_rates_survive_a_restart_and_a_late_first_count() -> None:
    ticks = [
        {"unix_s": 10.0, "counters": {}},
        {"unix_s": 12.0, "counters": {"x": 20}},
        {"unix_s": 14.0, "counters": {"x": 60}},
        {"unix_s": 16.0, "counters": {"x": 10}},  # a resumed run counts from 0
    ]
    assert rates(ticks, "x") == ([1.0, 3.0, 5.0], [10.0, 20.0, 5.0])
    assert rates(ticks, "absent") == ([], [])


@pytest.mark.parametrize(("longest", "width"), [(60_000, 1024), (5121, 1024), (5120, 512), (300, 32), (3, 8), (0, 8)])
def test_short_texts_get_finer_bins(longest: int, width: int) -> None:
    assert bin_width(longest) == width


def test_bins_are_named_by_their_upper_ends() -> None:
    assert bin_labels(1024)[:2] == ["1k", "2k"]
    assert bin_labels(1024)[-2:] == ["10k", ">10k"]
    assert bin_labels(8)[-2:] == ["80", ">80"]


def test_words_that_mark_a_turn_are_counted_whole_and_in_any_case(run_dir: Path) -> None:
    markers = gather(run_dir).markers
    assert len(markers) == 2
    for found in markers.values():
        assert found.num_traces > 300
        assert found.per_trace == {"but": 1.0, "wait": 1.0, "maybe": 0.0, "therefore": 1.0}
