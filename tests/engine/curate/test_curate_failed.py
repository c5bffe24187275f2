"""A curate that fails, or is killed, takes nothing from an earlier good set, and what it found is there to be read."""

import asyncio
import signal
import subprocess
import sys
from pathlib import Path
from typing import Any

import orjson
import pytest

from reasonmill.engine.cli import run_command
from reasonmill.engine.curate import encoder_process, output
from reasonmill.engine.curate.files import curate_files
from reasonmill.engine.curate.settings import CurateSettings, DecontaminateSettings, EmbeddingSettings
from reasonmill.engine.faults import RunFailed

BY_TEXT = CurateSettings(embeddings=EmbeddingSettings(enabled=False))
GUARDED = CurateSettings(embeddings=BY_TEXT.embeddings, decontaminate=DecontaminateSettings(guard_count=2))
DYING = CurateSettings(embeddings=EmbeddingSettings(max_restarts=0))
EXAM = "A clockmaker in Basel repairs 9 watches on Monday and 17 clocks until Friday. How many of both is that?"
GOOD = [{"prompt": f"How many sacks does mill {n} fill on day {n + 3} if it fills {n * n} an hour?"} for n in range(40)]
BAD: list[object] = [*GOOD[:5], GOOD[0], {"no": "question"}, b"{broken"]


def write(path: Path, *rows: object) -> str:
    path.write_bytes(b"".join((row if isinstance(row, bytes) else orjson.dumps(row)) + b"\n" for row in rows))
    return str(path)


def curated(tmp_path: Path, *rows: object, settings: CurateSettings = BY_TEXT) -> dict[str, Any]:
    exam = write(tmp_path / "exam.jsonl", {"id": "x1", "question": EXAM})
    return asyncio.run(curate_files([write(tmp_path / "q.jsonl", *rows)], [exam], str(tmp_path / "out"), settings))


def there(folder: Path) -> dict[str, bytes]:
    return {str(path.relative_to(folder)): path.read_bytes() for path in folder.rglob("*") if path.is_file()}


def removed(path: Path) -> list[str]:
    return [orjson.loads(line)["reason"] for line in path.read_bytes().splitlines()]


def test_too_many_unreadable_rows_leave_a_good_set_as_it_was(tmp_path: Path) -> None:
    curated(tmp_path, *GOOD)
    good = there(tmp_path / "out")
    assert sorted(good) == sorted(output.WRITTEN)
    with pytest.raises(ValueError, match=r"2 of 8 rows cannot be read") as raised:
        curated(tmp_path, *BAD)
    assert "out/failed/removed.jsonl" in raised.value.__notes__[0]
    found = there(tmp_path / "out")
    assert {name: found[name] for name in good} == good
    failed = tmp_path / "out" / "failed"
    assert removed(failed / "removed.jsonl") == ["exact_duplicate", "unreadable_line", "unreadable_line"]
    assert len((failed / "kept.jsonl").read_bytes().splitlines()) == 5
    counts = orjson.loads((failed / "counts.json").read_bytes())
    assert counts["failed"].startswith("2 of 8 rows cannot be read")
    assert (counts["read"], counts["kept"], counts["removed"]) == (8, 5, 3)
    curated(tmp_path, *GOOD)
    assert there(tmp_path / "out") == good


def test_where_no_good_set_is_lost_a_failed_one_lies_in_its_place_and_says_so(tmp_path: Path) -> None:
    for rows in (BAD, BAD[3:]):
        with pytest.raises(ValueError, match="rows cannot be read"):
            curated(tmp_path, *rows)
        found = there(tmp_path / "out")
        assert sorted(found) == sorted(output.WRITTEN)
        assert (
            len(found["kept.jsonl"].splitlines()) == orjson.loads(found["counts.json"])["kept"] == (len(rows) + 2) // 2
        )
        assert "failed" in orjson.loads(found["counts.json"])
    assert "failed" not in curated(tmp_path, *GOOD)
    assert "failed" not in orjson.loads((tmp_path / "out" / "counts.json").read_bytes())


@pytest.mark.parametrize(("settings", "error"), [(GUARDED, ValueError), (DYING, RunFailed)], ids=["guard", "encoder"])
def test_a_call_that_ends_on_the_way_shows_what_it_had_removed(
    tmp_path: Path, settings: CurateSettings, error: type[Exception], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(encoder_process, "_COMMAND", ("-c", "raise SystemExit('no memory')"))
    curated(tmp_path, *GOOD)
    good = there(tmp_path / "out")
    rows = [*GOOD, GOOD[1], {"prompt": "See https://example.com/x please"}]
    if settings is GUARDED:
        rows += [{"prompt": f"{EXAM} {' '.join([word] * 3)} {' or '.join([word] * 20)}"} for word in ("a", "be", "see")]
    with pytest.raises(error) as raised:
        curated(tmp_path, *rows, settings=settings)
    found = there(tmp_path / "out")
    assert {name: found[name] for name in good} == good
    assert sorted(set(found) - set(good)) == ["failed/counts.json", "failed/removed.jsonl"]
    reasons = removed(tmp_path / "out" / "failed" / "removed.jsonl")
    assert reasons == (["url"] if settings is GUARDED else ["exact_duplicate", "url"])
    assert orjson.loads(found["failed/counts.json"])["failed"] == str(raised.value)
    assert "failed/removed.jsonl" in raised.value.__notes__[0]


def test_a_file_that_a_failed_call_left_can_be_an_input_and_is_not_taken_away(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    curated(tmp_path, *GOOD)
    with pytest.raises(ValueError, match="rows cannot be read"):
        curated(tmp_path, *BAD)
    left = tmp_path / "out" / "failed" / "kept.jsonl"
    out = ["--output-dir", str(tmp_path / "out"), "--set", "embeddings.enabled=false"]
    assert run_command(["curate", "--queries", str(left), *out]) == 2
    assert "is an input and would be overwritten" in capsys.readouterr().err
    assert left.exists()


_CHILD = """
import os, resource, signal, sys
from pathlib import Path
from reasonmill.engine.cli import main
from reasonmill.engine.store import aside
limit, deadly = int(sys.argv[1]), int(sys.argv[2])
if limit:
    resource.setrlimit(resource.RLIMIT_FSIZE, (limit, resource.RLIM_INFINITY))
replaced = []
def replace(self, target, given=Path.replace):
    is_named = not str(target).endswith(".writing")
    replaced.extend([target] * is_named)
    if is_named and len(replaced) == deadly:
        os.kill(os.getpid(), signal.SIGKILL)
    return given(self, target)
Path.replace = replace
main(sys.argv[3:])
"""


def child(tmp_path: Path, *, limit: int = 0, deadly: int = 0, index: bool = False) -> subprocess.CompletedProcess[str]:
    options = ["--queries", str(tmp_path / "q.jsonl"), "--output-dir", str(tmp_path / "out")]
    options += ["--index", str(tmp_path / "index")] if index else []
    options += ["--set", "embeddings.enabled=false", "--set", "max_unreadable_share=1.0"]
    command = [sys.executable, "-P", "-c", _CHILD, str(limit), str(deadly), "curate", *options]
    return subprocess.run(command, check=False, capture_output=True, text=True, timeout=120)


@pytest.mark.parametrize("index", [False, True])
def test_a_disk_that_fills_up_while_the_files_are_written_takes_nothing(tmp_path: Path, index: bool) -> None:
    write(tmp_path / "q.jsonl", *GOOD)
    assert child(tmp_path, index=index).returncode == 0
    good = there(tmp_path)
    # removed.jsonl is to be longer than what is set aside: of unreadable rows, and of copies
    rows = [{f"no question {n}": "A row that is set aside with what is wrong about it."} for n in range(800)]
    write(tmp_path / "q.jsonl", *rows, *([GOOD[0]] * 800))
    ended = child(tmp_path, limit=260_000, index=index)
    assert ended.returncode == 1
    assert str(tmp_path / "out") in ended.stderr
    found = there(tmp_path)
    assert {name: found[name] for name in good if name != "q.jsonl"} == {n: good[n] for n in good if n != "q.jsonl"}
    assert sorted(found) == sorted(good), "nothing half-made is left"


def test_a_kill_while_files_get_their_names_leaves_the_old_set_or_one_that_is_known_to_be_none(tmp_path: Path) -> None:
    write(tmp_path / "q.jsonl", *GOOD)
    assert child(tmp_path).returncode == 0
    old = there(tmp_path / "out")
    write(tmp_path / "q.jsonl", *GOOD[:7], GOOD[3])
    for deadly in (1, 4):
        ended = child(tmp_path, deadly=deadly)
        assert ended.returncode == -signal.SIGKILL
        found = there(tmp_path / "out")
        assert "counts.json" not in found, "without it the others belong to no set"
        assert (found["kept.jsonl"] == old["kept.jsonl"]) == (deadly == 1)
    assert child(tmp_path).returncode == 0
    assert sorted(there(tmp_path / "out")) == sorted(output.WRITTEN)
    assert len((tmp_path / "out" / "kept.jsonl").read_bytes().splitlines()) == 7
