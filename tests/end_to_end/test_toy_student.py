"""Data, mask, loss, trainer, checkpoint, tokenizer and verifier fit together: a student from random weights learns to
add, stage by stage as recipes/toy.yaml says, and `reasonmill evaluate` sees it.
"""

import resource
import shutil
from pathlib import Path

import orjson
import pytest

from reasonmill.engine.embedded.toy import write_toy

pytestmark = pytest.mark.slow
ROOT = Path(__file__).resolve().parents[2]


def test_the_same_numbers_and_seed_write_the_same_bytes_and_no_question_is_taught(tmp_path):
    first, second = (write_toy(tmp_path / name, num_samples=300, num_questions=50) for name in ("a", "b"))
    assert [path.read_bytes() for path in first] == [path.read_bytes() for path in second]
    taught = {orjson.loads(line)["messages"][0]["content"] for line in first[0].read_bytes().splitlines()}
    asked = {orjson.loads(line)["prompt"] for line in first[1].read_bytes().splitlines()}
    assert (len(taught), len(asked)) == (300, 50)
    assert not taught & asked


def test_a_student_from_scratch_goes_from_nothing_to_most_sums_right(reasonmill, tmp_path):
    shutil.copy(ROOT / "recipes" / "toy.yaml", tmp_path)
    began = resource.getrusage(resource.RUSAGE_CHILDREN)
    write_toy(tmp_path / "toy", num_samples=6000, num_questions=100)
    commands = (
        "pack toy.yaml --input toy/dataset.jsonl --output-dir toy/packed",
        "train toy.yaml --packed toy/packed --output-dir toy/student",
        "evaluate toy.yaml --samples 1 --model before=toy/student/train/initial after=toy/student/student"
        " --output toy/evaluation.json",
    )
    for command in commands:
        status, out, err = reasonmill(*command.split())
        assert status == 0, f"{command}: {out[-1000:]}{err[-1000:]}"
    before, after = orjson.loads((tmp_path / "toy" / "evaluation.json").read_bytes())["results"]
    assert (before["name"], after["name"]) == ("before", "after")
    assert before["pass_at_1"] <= 0.02
    assert after["pass_at_1"] >= 0.6
    assert after["stop_ratio"] > 0.95
    ended = resource.getrusage(resource.RUSAGE_CHILDREN)
    spent = ended.ru_utime + ended.ru_stime - began.ru_utime - began.ru_stime
    print(f"pass@1 {before['pass_at_1']:.3f} → {after['pass_at_1']:.3f} in {spent:.0f} CPU seconds of child processes")
