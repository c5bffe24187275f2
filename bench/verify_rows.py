"""Responses with a label whether they are right: files of such rows, or rows made here from a seed."""

import gzip
import random
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import orjson

_MADE = 600


@dataclass(frozen=True, kw_only=True, slots=True)
class LabelledRow:
    """A response, its gold answer and its label; `trusted` where independent graders agree on the label."""

    question: str
    gold: str
    response: str
    label: bool
    trusted: bool


def labelled_rows(place: str) -> dict[str, list[LabelledRow]]:
    """Rows by name: the `.jsonl` and `.jsonl.gz` files of a folder that have gold, response, label and consensus; made
    rows where no folder is named. Raises ValueError for a folder without such files.
    """
    if not place:
        return {"made": list(_made(random.Random(3)))}
    files = sorted(path for path in Path(place).glob("*.jsonl*") if path.suffix in (".jsonl", ".gz"))
    found = {path.name.split(".")[0]: rows for path in files if (rows := list(_read(path)))}
    if not found:
        raise ValueError(f"{place!r} holds no .jsonl file with gold, response, label and consensus")
    return found


def _read(path: Path) -> Iterator[LabelledRow]:
    with gzip.open(path) if path.suffix == ".gz" else path.open("rb") as lines:
        for line in lines:
            row = orjson.loads(line)
            if not {"gold", "response", "label", "consensus"} <= row.keys():
                return
            yield LabelledRow(
                question=row.get("question", ""),
                gold=row["gold"],
                response=row["response"],
                label=row["label"],
                trusted=row["consensus"],
            )


def _made(rng: random.Random) -> Iterator[LabelledRow]:
    for _ in range(_MADE):
        a, b, c = (rng.randrange(2, 40) for _ in range(3))
        forms = (
            (f"{a * b}", f"{a * b:,}", f"{a * b + 1}"),
            (rf"\frac{{{a}}}{{{a + b}}}", rf"\dfrac{{{a}}}{{{a + b}}}", rf"\frac{{{a}}}{{{a + b + 1}}}"),
            (f"{a}x^2+{b}x", f"x({a}x+{b})", f"{a}x^2+{b + 1}x"),
            (rf"{a}\sqrt{{{b}}}", rf"\sqrt{{{b}}} \cdot {a}", rf"{a}\sqrt{{{b + 1}}}"),
            (
                rf"({a},\frac{{{b}}}{{{c}}})",
                rf"\left({a}, \frac{{{b}}}{{{c}}}\right)",
                rf"({a + 1},\frac{{{b}}}{{{c}}})",
            ),
            (rf"\{{{a},{a + b}\}}", f"{a + b}, {a}", f"{a}, {a + b}, {a + b + 1}"),
            (rf"\sin({a}x)", rf"\sin({a} x)+0", rf"\cos({a}x)"),
        )
        gold, right, wrong = rng.choice(forms)
        label = rng.random() < 0.75
        steps = " ".join(f"Step {n}: we have ${a}+{n}={a + n}$, and so on." for n in range(rng.randrange(5, 40)))
        response = f"<think>\n{steps}\n</think>\nThe answer is $\\boxed{{{right if label else wrong}}}$."
        yield LabelledRow(question="", gold=gold, response=response, label=label, trusted=True)
