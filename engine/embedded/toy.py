"""A toy task for a student from scratch: `python -m reasonmill.engine.embedded.toy --output-dir DIR` writes worked sums
of numbers of up to three digits as a dataset, `dataset.jsonl`, and other sums as `questions.jsonl`. Same numbers and
seed, same bytes.

recipes/toy.yaml says what to do with them.
"""

import argparse
from collections.abc import Iterator, Sequence
from pathlib import Path

from reasonmill.engine.embedded.files import write_lines
from reasonmill.engine.embedded.questions import WorkedQuestion, words_of
from reasonmill.engine.embedded.tasks import worked_questions

TASK = "addition"
SEED = 20260501


def main(arguments: Sequence[str] | None = None) -> int:
    """Write both files; returns the exit status."""
    parser = argparse.ArgumentParser(prog="toy", description=__doc__.splitlines()[0])
    parser.add_argument("--output-dir", type=Path, required=True, help="folder to write into; made if need be")
    parser.add_argument("--num-samples", type=int, default=6000, help="worked questions (default 6,000)")
    parser.add_argument("--num-questions", type=int, default=200, help="questions held back (default 200)")
    parser.add_argument("--seed", type=int, default=SEED, help=f"default {SEED}")
    options = parser.parse_args(arguments)
    if options.num_samples < 1 or options.num_questions < 1:
        parser.error("--num-samples and --num-questions: at least 1")
    write_toy(
        options.output_dir, num_samples=options.num_samples, num_questions=options.num_questions, seed=options.seed
    )
    return 0


def write_toy(folder: Path, *, num_samples: int, num_questions: int, seed: int = SEED) -> tuple[Path, Path]:
    """Write the dataset and the questions, no two of which have the same words; returns their paths."""
    stream = _distinct(seed)
    held_back = [next(stream) for _ in range(num_questions)]
    questions = (
        {"id": f"q{i}", "prompt": one.question, "category": "math", "source": one.task, "ground_truth": one.gold}
        for i, one in enumerate(held_back)
    )
    samples = ({"id": f"s{i}", "category": "math", **_turns(next(stream))} for i in range(num_samples))
    return write_lines(folder / "dataset.jsonl", samples), write_lines(folder / "questions.jsonl", questions)


def _turns(one: WorkedQuestion) -> dict[str, list[dict[str, str]]]:
    turns = (("user", one.question), ("assistant", one.response))
    return {"messages": [{"role": role, "content": content} for role, content in turns]}


def _distinct(seed: int) -> Iterator[WorkedQuestion]:
    """Endless questions, each only once."""
    seen: set[tuple[str, ...]] = set()
    for one in worked_questions(TASK, seed=seed):
        words = words_of(one.question)
        if words not in seen:
            seen.add(words)
            yield one


if __name__ == "__main__":
    raise SystemExit(main())
