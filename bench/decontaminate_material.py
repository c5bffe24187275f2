"""What the bench of decontamination looks for, and in what: real evaluation sets from a folder, or written ones."""

import gzip
import re
from dataclasses import dataclass
from pathlib import Path

import orjson
import xxhash

from reasonmill.bench.curate_corpus import Writer
from reasonmill.engine.curate.evaluation_item import EvaluationItem

_SETS = ("aime24_qwen", "math500", "amc23")
_CLEAN = "gsm8k_train"
_OTHER_FIELDS = ("olympiadbench", "minerva_math")
_RENUMBERED = "gsm8k_test"


@dataclass(frozen=True, kw_only=True, slots=True)
class Material:
    """Items to look for, clean queries, problems of the items' own fields (where some are rightly found), and questions
    whose copies with other numbers must be found too.
    """

    items: list[EvaluationItem]
    clean: list[str]
    other_fields: list[str]
    renumbered: list[str]


def held_out(text: str) -> bool:
    """Whether a text belongs to the half that is reported, and not to the one on which settings were chosen."""
    return xxhash.xxh3_64_intdigest(text.encode()) % 2 == 1


def real_material(folder: str) -> Material:
    """Of the .jsonl.gz files of a folder. Raises FileNotFoundError that names the one that is missing."""
    root = Path(folder)
    return Material(
        items=[
            EvaluationItem(id=str(number), text=text, set_name=name)
            for name in _SETS
            for number, text in enumerate(_questions(root / f"{name}.jsonl.gz"))
        ],
        clean=_questions(root / f"{_CLEAN}.jsonl.gz"),
        other_fields=[text for name in _OTHER_FIELDS for text in _questions(root / f"{name}.jsonl.gz")],
        renumbered=_questions(root / f"{_RENUMBERED}.jsonl.gz"),
    )


def written_material(num_clean: int) -> Material:
    """The same seed writes the same."""
    writer = Writer(3)
    texts = [" ".join(writer.sentence() for _ in range(1 + n % 4)) for n in range(1000)]
    clean = [writer.query() for _ in range(num_clean)]
    return Material(
        items=[EvaluationItem(id=str(number), text=text, set_name="written") for number, text in enumerate(texts)],
        clean=clean,
        other_fields=[],
        renumbered=[text for text in (writer.query() for _ in range(500)) if re.search(r"\d", text)],
    )


def _questions(path: Path) -> list[str]:
    with gzip.open(path) as stream:
        rows = [orjson.loads(line) for line in stream]
    return [str(row.get("question") or row.get("problem")) for row in rows]
