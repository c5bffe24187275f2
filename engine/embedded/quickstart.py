"""The quickstart's inputs as files: queries, the sets they are held against, and what curation has to find.

Same number and seed, same bytes.
"""

from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from reasonmill.engine.embedded.composition import Composition, compose, expected_removals
from reasonmill.engine.embedded.evaluation_problems import EVALUATION_PROBLEMS
from reasonmill.engine.embedded.files import write_json, write_lines
from reasonmill.engine.records import content_id
from reasonmill.engine.store.readers import query_to_json

EVALUATION_SOURCE = "quickstart_word_problems"


@dataclass(frozen=True, kw_only=True, slots=True)
class QuickstartInputs:
    """The files written.

    `planted`: id of each query that has to go -> reasons that count as right. `variants`: ids of copies with another
    number, which have to stay. `script`: the scripted teacher's answers to the code queries, with the
    number of the attempt that is right.
    """

    queries: Path
    evaluation: Path
    held_back: Path
    planted: Path
    variants: Path
    script: Path


def write_inputs(folder: Path, *, num_queries: int = 2000, seed: int) -> QuickstartInputs:
    """Write the inputs into `folder`, which is made. Raises ValueError for fewer than composition.MIN_QUERIES."""
    composition = compose(num_queries, seed)
    queries = (query_to_json(entry.query) for entry in composition.entries)
    held_back = (query_to_json(query) for query in composition.held_back)
    return QuickstartInputs(
        queries=write_lines(folder / "queries.jsonl", queries),
        evaluation=write_lines(folder / "evaluation.jsonl", _evaluation_rows()),
        held_back=write_lines(folder / "held_back.jsonl", held_back),
        planted=write_json(folder / "planted.json", expected_removals(composition.entries)),
        variants=write_json(folder / "variants.json", _variants(composition)),
        script=write_lines(folder / "script.jsonl", _script_rows(composition)),
    )


def _evaluation_rows() -> Iterable[dict[str, Any]]:
    for text, gold in EVALUATION_PROBLEMS:
        yield {
            "id": content_id(EVALUATION_SOURCE, text),
            "prompt": text,
            "category": "math",
            "source": EVALUATION_SOURCE,
            "ground_truth": str(gold),
        }


def _variants(composition: Composition) -> list[str]:
    return sorted(
        entry.query.id
        for entry in composition.entries
        if entry.plant is not None and entry.plant.kind == "number_variant"
    )


def _script_rows(composition: Composition) -> Iterable[dict[str, Any]]:
    for entry in composition.entries:
        if entry.program is not None:
            responses = [{"text": text} for text in entry.program.texts]
            kinds = entry.program.kinds
            right_at = kinds.index("right") + 1 if "right" in kinds else None
            yield {"query_id": entry.query.id, "right_at": right_at, "responses": responses}
