"""What stands behind `reasonmill pack` with `pack.kind: pairs`: files of preference pairs to a packed folder. Every row
of a file is packed or is a line of `removed.jsonl` with its reason.

A row has `chosen` and `rejected`, two answers to its `prompt` or `messages`; or, as TRL has it, two lists of turns,
with the prompt in front of both or in `prompt`.
"""

import tempfile
from collections import Counter
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any, BinaryIO

import orjson

from reasonmill.engine.store.aside import named, whole_file
from reasonmill.engine.store.readers import query_from_json
from reasonmill.engine.store.rows import read_rows
from reasonmill.packing.layout import PUBLISHED
from reasonmill.packing.pairs import Pair, pack_pairs
from reasonmill.packing.settings import PackSettings

_MAX_UNREADABLE = 0.01  # share of rows from which the command fails


def pack_pair_files(inputs: Sequence[str], output_dir: str | None, settings: PackSettings) -> dict[str, object]:
    """Pack the pairs of files; returns the counts. Without a folder they are counted and nothing is kept.

    Raises ValueError naming a missing tokenizer, a folder that already holds a packed set, or too many unreadable rows.
    """
    if not settings.tokenizer:
        raise ValueError("pack.tokenizer is missing: a folder with the student's tokenizer and chat template")
    if output_dir is None:
        with tempfile.TemporaryDirectory() as temporary:
            return pack_pair_files(inputs, temporary, settings)
    folder = Path(output_dir)
    if (folder / PUBLISHED).exists():
        raise ValueError(f"--output-dir {output_dir!r} holds a packed set already: choose another")
    path = folder / "removed.jsonl"
    removed: Counter[str] = Counter()
    with whole_file(path) as stream, named(folder):
        pairs = _pairs(inputs, stream, removed)
        counts = pack_pairs(pairs, folder, tokenizer_dir=settings.tokenizer, settings=settings)
        for name, error in counts.unencodable:
            _remove(stream, removed, name, "not_encodable", error=error)
        for name in counts.too_long:
            _remove(stream, removed, name, "too_long")
    num_rows = counts.num_pairs + removed.total()
    num_bad = removed["unreadable_line"] + removed["not_encodable"]
    if num_bad > _MAX_UNREADABLE * num_rows:
        first = orjson.loads(path.read_bytes().partition(b"\n")[0])
        (folder / PUBLISHED).unlink()  # a command that failed leaves no set, and may be given again
        raise ValueError(f"{num_bad} of {num_rows} rows are no pairs; of removed.jsonl the first: {first}")
    return {
        "pairs": counts.num_pairs,
        "rows": counts.num_rows,
        "tokens": counts.num_tokens,
        "targets": counts.num_targets,
        "fill": round(counts.fill, 5),
        "too_long": removed["too_long"],
        "unreadable": removed["unreadable_line"],
        "not encodable": removed["not_encodable"],
    }


def _pairs(inputs: Sequence[str], stream: BinaryIO, removed: "Counter[str]") -> Iterator[Pair]:
    for path in inputs:
        for row in read_rows(path):
            place = f"{path}:{row.line}"
            try:
                if row.value is None:
                    raise ValueError(row.error)
                yield pair_of_row(row.value, place)
            except ValueError as error:
                _remove(stream, removed, place, "unreadable_line", error=str(error))


def pair_of_row(value: dict[str, Any], place: str) -> Pair:
    """The pair of a row; `place` names one that has no id. Raises ValueError that says what is missing."""
    row = dict(value)
    chosen, rejected = _turns(row, "chosen"), _turns(row, "rejected")
    shared = 0
    while shared < min(len(chosen), len(rejected)) - 1 and chosen[shared] == rejected[shared]:
        shared += 1
    if shared != len(chosen) - 1 or shared != len(rejected) - 1:
        raise ValueError("chosen and rejected do not differ in their last turn alone")
    if isinstance(row.get("prompt"), list):  # TRL's layout
        row["messages"] = row.pop("prompt")
    if shared and any(row.get(key) is not None for key in ("prompt", "messages", "conversations")):
        raise ValueError("the prompt stands both in a field of its own and in chosen and rejected")
    if shared:
        row["messages"] = chosen[:shared]
    turns = tuple((message.role, message.content) for message in query_from_json(row, category="other").messages)
    answers = [one[-1]["content"] for one in (chosen, rejected)]
    if answers[0] == answers[1]:
        raise ValueError("chosen and rejected are the same text")
    return Pair(name=str(row.get("id") or place), turns=turns, chosen=answers[0], rejected=answers[1])


def _turns(row: dict[str, Any], key: str) -> list[dict[str, Any]]:
    """The turns of a side, the last of them the answer."""
    side = row.get(key)
    if isinstance(side, str):
        side = [{"role": "assistant", "content": side}]
    if not isinstance(side, list) or not side or not all(isinstance(turn, dict) for turn in side):
        raise ValueError(f"{key} is {type(row.get(key)).__name__}, expected text or a list of turns")
    last = side[-1]
    if last.get("role") != "assistant" or not isinstance(last.get("content"), str) or not last["content"].strip():
        raise ValueError(f"{key} does not end with an answer of the assistant")
    return side


def _remove(stream: BinaryIO, removed: "Counter[str]", name: str, reason: str, **evidence: object) -> None:
    removed[reason] += 1
    record = {"id": name, "stage": "pack", "reason": reason, "evidence": evidence}
    stream.write(orjson.dumps(record, option=orjson.OPT_APPEND_NEWLINE))
