import asyncio

import orjson
import pyarrow
import pyarrow.parquet
import pytest

from reasonmill.engine.verify_files import judge_file
from reasonmill.verify.settings import SandboxSettings, VerifySettings

SETTINGS = VerifySettings(math_workers=1, sandbox=SandboxSettings(slots=1))
KEYS = ["id", "outcome", "score", "verifier", "reason", "duration_s"]


async def _judged(source, target, settings):
    return (await judge_file(source, target, settings)).outcomes()


def _verify(tmp_path, lines, name="rows.jsonl"):
    path = tmp_path / name
    path.write_bytes(b"\n".join(line if isinstance(line, bytes) else orjson.dumps(line) for line in lines) + b"\n")
    counts = asyncio.run(_judged(path, tmp_path / "out" / "verdicts.jsonl", SETTINGS))
    return counts, [orjson.loads(line) for line in (tmp_path / "out" / "verdicts.jsonl").read_bytes().splitlines()]


def test_verdicts_come_in_the_order_of_the_rows_with_unreadable_ones_told(tmp_path):
    assert_case = {"call_type": "assert", "assert_case": ["assert f() == 1"]}
    rows = [
        {"id": "slow", "category": "code", "response": "```python\ndef f(): return 1\n```", "test_case": assert_case},
        {"id": "quick", "category": "math", "response": r"\boxed{4}", "ground_truth": 4},
        b"{broken",
        {"category": "math", "messages": [{"role": "user", "content": "?"}], "response": "5", "ground_truth": "4"},
        {"id": "none", "category": "math"},
        {
            "id": "text",
            "category": "code",
            "response": "```python\ndef f(): return 1\n```",
            "test_case": orjson.dumps(assert_case).decode(),
        },
    ]
    counts, verdicts = _verify(tmp_path, rows)
    assert [list(verdict) for verdict in verdicts] == [KEYS] * 6
    assert [(verdict["id"], verdict["outcome"], verdict["reason"]) for verdict in verdicts] == [
        ("slow", "pass", "ok"),
        ("quick", "pass", "ok"),
        ("3", "not_run", "unreadable_line"),
        ("4", "fail", "wrong_answer"),
        ("5", "not_run", "unreadable_line"),
        ("text", "pass", "ok"),
    ]
    assert verdicts[2]["score"] is None
    assert counts == {"rows": 6, "pass": 3, "fail": 1, "not_run": 2, "unreadable": 2}


def test_more_rows_than_are_open_at_once_keep_their_order(tmp_path):
    rows = [{"id": n, "category": "math", "response": str(n % 3), "ground_truth": "1"} for n in range(500)]
    counts, verdicts = _verify(tmp_path, rows)
    assert [verdict["id"] for verdict in verdicts] == [str(n) for n in range(500)]
    assert counts["pass"] == 167


def test_a_dataset_in_parquet_is_an_input_too(tmp_path):
    table = pyarrow.table(
        {
            "id": ["a"],
            "category": ["code"],
            "prompt": ["?"],
            "response": ["<think>x</think><answer>\n```python\nprint(1)\n```\n</answer>"],
            "ground_truth": pyarrow.array([None], pyarrow.string()),
            "test_case": ['{"call_type": "std", "inputs": [""], "outputs": ["1"]}'],
            "instruction_constrain": pyarrow.array([None], pyarrow.string()),
        }
    )
    pyarrow.parquet.write_table(table, tmp_path / "rows.parquet")
    counts = asyncio.run(_judged(tmp_path / "rows.parquet", tmp_path / "v.jsonl", SETTINGS))
    assert counts["pass"] == 1


def test_an_input_that_is_none_leaves_no_output(tmp_path):
    with pytest.raises(FileNotFoundError):
        asyncio.run(_judged(tmp_path / "missing.jsonl", tmp_path / "v.jsonl", SETTINGS))
    (tmp_path / "rows.json").write_text("{}")
    with pytest.raises(ValueError, match="expected an array"):
        asyncio.run(_judged(tmp_path / "rows.json", tmp_path / "v.jsonl", SETTINGS))
    assert not (tmp_path / "v.jsonl").exists()


def test_an_empty_input_makes_an_empty_output(tmp_path):
    (tmp_path / "rows.jsonl").write_text("")
    counts = asyncio.run(_judged(tmp_path / "rows.jsonl", tmp_path / "v.jsonl", SETTINGS))
    assert counts["rows"] == 0
    assert (tmp_path / "v.jsonl").read_text() == ""


TURNS = [
    {"from": "human", "value": "Earlier?"},
    {"from": "assistant", "value": "Yes."},
    {"from": "human", "value": "Which? A) 3 B) 4"},
]


@pytest.mark.parametrize(
    ("row", "outcome"),
    [
        ({"conversations": [*TURNS, {"from": "gpt", "value": r"\boxed{4}"}], "ground_truth": "B"}, "pass"),
        ({"conversations": [*TURNS, {"from": "assistant", "value": "4", "info": {"ground_truth": "4"}}]}, "pass"),
        ({"conversations": [*TURNS, {"from": "gpt", "value": "4", "info": {"ground_truth": "5"}}]}, "fail"),
        ({"messages": [{"role": "assistant", "content": "4"}], "ground_truth": 4}, "pass"),
        ({"messages": [{"role": "user", "content": [{"type": "text"}]}], "response": "4", "ground_truth": 4}, "pass"),
        ({"messages": [{"role": "assistant", "content": ""}], "ground_truth": 4}, "fail"),
        ({"messages": [{"role": "user", "content": "4"}], "ground_truth": 4}, "unreadable"),
        ({"conversations": TURNS, "ground_truth": "4"}, "unreadable"),
        ({"conversations": [], "ground_truth": "4"}, "unreadable"),
        ({"conversations": [{"from": "robot", "value": "4"}], "ground_truth": "4"}, "unreadable"),
        ({"conversations": "4", "ground_truth": "4"}, "unreadable"),
        ({"messages": [{"role": "assistant", "content": "4"}], "response": 4, "ground_truth": "4"}, "unreadable"),
    ],
)  # fmt: skip
def test_a_conversation_ends_with_its_response(tmp_path, row, outcome):
    counts, _ = _verify(tmp_path, [{"category": "math", **row}])
    assert counts[outcome] == 1


def test_a_ground_truth_nested_too_deep_is_an_unreadable_row_and_no_end_of_the_run(tmp_path):
    deep = b'{"id": "deep", "category": "math", "response": "1", "ground_truth": ' + b"[" * 300 + b"]" * 300 + b"}"
    text = {"id": "text", "category": "science", "response": "1", "ground_truth": '["' * 9999}
    counts, lines = _verify(tmp_path, [deep, text, {"id": "m", "category": "math", "response": "1", "ground_truth": 1}])
    assert [line["outcome"] for line in lines] == ["not_run", "not_run", "pass"]
    assert lines[0]["reason"] == "unreadable_line"
    assert counts["pass"] == 1
