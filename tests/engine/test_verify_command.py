"""`reasonmill verify` as a command: options, summary, resume, audit, exit status."""

import subprocess
import sys

import orjson
import pytest

from reasonmill.engine.cli import run_command

ROWS = [
    {"id": f"m{n}", "category": "math", "prompt": "?", "response": f"\\boxed{{{n % 3}}}", "ground_truth": "1"}
    for n in range(300)
]


def _write(path, rows):
    path.write_bytes(b"".join(orjson.dumps(row) + b"\n" for row in rows))
    return path


def _verdicts(path):
    lines = [orjson.loads(line) for line in path.read_bytes().splitlines()]
    return [{key: value for key, value in line.items() if key != "duration_s"} for line in lines]


def _verify(tmp_path, *more, rows=None, output="v.jsonl"):
    source = tmp_path / "rows.jsonl"
    if rows is not None:
        _write(source, rows)
    return run_command(["verify", "--input", str(source), "--output", str(tmp_path / output), *more])


def test_the_summary_counts_by_category_and_reason(tmp_path, capsys):
    rows = [*ROWS, {"id": "x", "category": "other", "response": "r"}]
    assert _verify(tmp_path, rows=rows) == 0
    out = capsys.readouterr().out
    lines = [line.split() for line in out.splitlines()]
    assert ["math", "fail", "wrong_answer", "200", "66.7", "%"] in lines
    assert ["math", "pass", "ok", "100", "33.3", "%"] in lines
    assert any(line[:4] == ["other", "not_run", "no_verifier", "1"] for line in lines)


@pytest.mark.parametrize("left", [".writing", ""])
@pytest.mark.parametrize("cut", [0, 1, 5000, 10_003])
def test_a_half_written_output_is_continued_to_the_same_end(tmp_path, capsys, left, cut):
    assert _verify(tmp_path, rows=ROWS, output="whole.jsonl") == 0
    whole = (tmp_path / "whole.jsonl").read_bytes()
    (tmp_path / f"v.jsonl{left}").write_bytes(whole[:cut])
    assert _verify(tmp_path, "--resume") == 0
    assert _verdicts(tmp_path / "v.jsonl") == _verdicts(tmp_path / "whole.jsonl")
    kept = whole[:cut].count(b"\n")
    assert (tmp_path / "v.jsonl").read_bytes().splitlines()[:kept] == whole.splitlines()[:kept]
    assert not (tmp_path / "v.jsonl.writing").exists()
    assert kept == 0 or f"{kept} of them judged before" in capsys.readouterr().out


def test_a_whole_output_is_resumed_without_work_and_rubbish_behind_it_is_cut(tmp_path):
    assert _verify(tmp_path, rows=ROWS) == 0
    before = (tmp_path / "v.jsonl").read_bytes()
    (tmp_path / "v.jsonl").write_bytes(before + b'{"id": "torn')
    assert _verify(tmp_path, "--resume") == 0
    assert (tmp_path / "v.jsonl").read_bytes() == before


def test_an_output_of_another_input_is_refused_and_kept(tmp_path, capsys):
    assert _verify(tmp_path, rows=ROWS) == 0
    assert _verify(tmp_path, "--resume", rows=ROWS[1:]) == 2
    assert "line 1" in capsys.readouterr().err
    assert (tmp_path / "v.jsonl.writing").exists()
    assert _verify(tmp_path, "--resume", rows=ROWS) == 0


@pytest.mark.parametrize(
    ("name", "output", "more"),
    [
        ("rows.jsonl", "rows.jsonl", []),
        ("rows.jsonl", "here/../rows.jsonl", ["--resume"]),
        ("rows.jsonl", "link.jsonl", []),
        ("v.jsonl.audit.json", "v.jsonl", ["--audit", "1"]),
    ],
)
def test_an_input_is_never_written_over(tmp_path, capsys, name, output, more):
    source = tmp_path / name
    source.write_bytes(orjson.dumps(ROWS[:2]) if name.endswith(".json") else b"\n".join(map(orjson.dumps, ROWS[:2])))
    (tmp_path / "here").mkdir()
    (tmp_path / "link.jsonl").symlink_to("rows.jsonl")
    before = source.read_bytes()
    names = sorted(path.name for path in tmp_path.iterdir())
    assert run_command(["verify", "--input", str(source), "--output", str(tmp_path / output), *more]) == 2
    assert "is an input and would be overwritten" in capsys.readouterr().err
    assert source.read_bytes() == before
    assert sorted(path.name for path in tmp_path.iterdir()) == names


_KILLED = """
import os, sys
from reasonmill.engine import verify_files
take = verify_files.Output.write
count = 0
def write(self, line):
    global count
    take(self, line)
    count += 1
    if count == 120:
        self.flush()
        os.kill(os.getpid(), 9)
verify_files.Output.write = write
from reasonmill.engine.cli import run_command
run_command(sys.argv[1:])
"""


def test_a_killed_verification_goes_on_where_it_was(tmp_path, capsys):
    source = _write(tmp_path / "rows.jsonl", ROWS)
    arguments = ["verify", "--input", str(source), "--output", str(tmp_path / "v.jsonl")]
    done = subprocess.run([sys.executable, "-P", "-c", _KILLED, *arguments], capture_output=True)
    assert done.returncode == -9
    assert not (tmp_path / "v.jsonl").exists()
    assert run_command([*arguments, "--resume"]) == 0
    assert "120 of them judged before" in capsys.readouterr().out
    assert [line["id"] for line in _verdicts(tmp_path / "v.jsonl")] == [row["id"] for row in ROWS]


def test_too_many_unreadable_rows_fail_the_command(tmp_path, capsys):
    rows = [*ROWS[:50], {"id": "no response", "category": "math"}]
    assert _verify(tmp_path, rows=rows) == 1
    assert "1 of 51 rows are unreadable" in capsys.readouterr().err
    assert _verify(tmp_path, "--max-unreadable-share", "0.1") == 0
    assert len(_verdicts(tmp_path / "v.jsonl")) == 51


@pytest.mark.parametrize(
    ("option", "value"),
    [
        ("--workers", "0"),
        ("--workers", "1000"),
        ("--deadline-s", "0"),
        ("--deadline-s", "nan"),
        ("--max-unreadable-share", "2"),
        ("--audit", "0"),
        ("--set", "math_limit=3"),
    ],
)
def test_a_senseless_option_is_one_line_that_names_it(tmp_path, capsys, option, value):
    assert _verify(tmp_path, option, value, rows=ROWS[:1]) == 2
    err = capsys.readouterr().err
    assert option.replace("--set", "math_limit") in err
    assert err.count("\n") == 1
    assert not (tmp_path / "v.jsonl").exists()


def test_an_audit_tells_where_plain_math_verify_differs(tmp_path, capsys):
    tiny = {"id": "t", "category": "math", "response": r"\boxed{\frac{1}{2^{99}}}", "ground_truth": r"\frac{1}{2^{98}}"}
    assert _verify(tmp_path, "--audit", "4", "--workers", "1", rows=[*ROWS[:3], tiny]) == 0
    assert "audit: math against plain Math-Verify: 1 of 4 differ (25.00 %)" in capsys.readouterr().out
    (found,) = orjson.loads((tmp_path / "v.jsonl.audit.json").read_bytes())
    assert (found["compared"], found["differ"]) == (4, 1)
    assert found["examples"][0]["id"] == "t"
    assert (found["examples"][0]["ours"], found["examples"][0]["other"]) == ("fail", "pass")
