"""`reasonmill curate`: query files in, kept.jsonl, removed.jsonl and counts.json out.

Every row that is read is in exactly one of the first two, kept ones as readers.query_to_json writes them, removed ones
with id, stage, reason and evidence. variants.jsonl names the kept ones that are like another kept one but for their
numbers. All are written aside and renamed, counts.json last; a pass that was killed is made again and writes the same.
"""

from collections import Counter
from collections.abc import Iterable, Sequence
from pathlib import Path
from typing import Any

import orjson

from reasonmill.engine.curate.curator import curate
from reasonmill.engine.curate.embedding_model import encoder_missing
from reasonmill.engine.curate.evaluation import load_evaluation
from reasonmill.engine.curate.refine import Refined, refined
from reasonmill.engine.curate.settings import RULES, AgainstSettings, CurateSettings, Rule
from reasonmill.engine.records import Query, Reject
from reasonmill.engine.store.aside import whole_file
from reasonmill.engine.store.readers import query_to_json, read_queries


async def curate_files(
    queries: Sequence[str],
    against: Sequence[str],
    output_dir: str,
    settings: CurateSettings,
    *,
    category: str | None = None,
) -> dict[str, Any]:
    """Curates the files and returns the counts.

    `against` are further evaluation sets, compared by every rule; where no encoder is installed they are compared by
    text alone, and the counts say so under `not_run`. Raises FileNotFoundError or ValueError for an input that cannot
    be read, RunFailed if the encoder keeps dying, and ValueError, after all is written, for too many unreadable rows.
    """
    missing = encoder_missing(settings.embeddings) if against and settings.embeddings.enabled else None
    rules: tuple[Rule, ...] = ("containment", "ngram") if missing else RULES
    evaluation = load_evaluation((*settings.against, *(AgainstSettings(path=path, rules=rules) for path in against)))
    found, rejects = _read(queries, category)
    result = curate(found, evaluation, settings)
    refinement = await refined(result.kept, evaluation, settings, log_dir=Path(output_dir) / "logs")
    kept, removed = refinement.kept, [*rejects, *result.removed, *refinement.removed]
    counts = _counts(len(found) + len(rejects), kept, removed) | _refinement_counts(refinement, missing)
    ids = {query.id for query in kept}
    variants = {id_: of for id_, of in result.variants.items() if id_ in ids and of in ids}
    _write(Path(output_dir), kept, removed, variants, counts)
    _check_readable(rejects, counts["read"], settings.max_unreadable_share)
    return counts


def _write(
    folder: Path, kept: Sequence[Query], removed: Sequence[Reject], variants: dict[str, str], counts: dict[str, Any]
) -> None:
    with (
        whole_file(folder / "counts.json") as counts_file,
        whole_file(folder / "variants.jsonl") as variants_file,
        whole_file(folder / "removed.jsonl") as removed_file,
        whole_file(folder / "kept.jsonl") as kept_file,
    ):
        kept_file.writelines(_lines(map(query_to_json, kept)))
        removed_file.writelines(_lines(map(_reject_to_json, removed)))
        variants_file.writelines(_lines({"id": id_, "of": of} for id_, of in variants.items()))
        counts_file.write(orjson.dumps(counts, option=orjson.OPT_INDENT_2 | orjson.OPT_APPEND_NEWLINE))


def _read(paths: Sequence[str], category: str | None) -> tuple[list[Query], list[Reject]]:
    """Queries with an id that none before had, and the rows that are none."""
    queries: list[Query] = []
    rejects: list[Reject] = []
    first_with: dict[str, Query] = {}
    for item in read_queries(paths, category=category):
        if isinstance(item, Reject):
            rejects.append(item)
        elif (first := first_with.setdefault(item.id, item)) is not item:
            rejects.append(_repeated(item, first))
        else:
            queries.append(item)
    return queries, rejects


def _check_readable(rejects: Sequence[Reject], num_rows: int, max_share: float) -> None:
    broken = [reject.evidence for reject in rejects if reject.reason == "unreadable_line"]
    if len(broken) > max_share * num_rows:
        raise ValueError(
            f"{len(broken)} of {num_rows} rows cannot be read, more than max_unreadable_share = {max_share}; "
            f"the first is {broken[0]['place']}: {broken[0]['error']}"
        )


def _repeated(item: Query, first: Query) -> Reject:
    """An id that was seen before: a copy where the question is the same, else a mistake in the input."""
    if item.messages == first.messages:
        return Reject(
            query_id=item.id, stage="curate", reason="exact_duplicate", evidence={"of": first.id, "match": "identical"}
        )
    return Reject(query_id=item.id, stage="read", reason="repeated_id", evidence={"prompt": item.prompt[:240]})


def _refinement_counts(refinement: Refined, missing: str | None) -> dict[str, Any]:
    """How many queries have each label, and what was not done."""
    labels: dict[str, Counter[str]] = {}
    for query in refinement.kept:
        for name, label in query.tags.items():
            labels.setdefault(name, Counter())[label] += 1
    not_run: dict[str, Any] = {"embedding": missing} if missing else {}
    not_run |= refinement.not_run
    counts: dict[str, Any] = {"tags": {name: dict(sorted(count.items())) for name, count in labels.items()}}
    return (counts if labels else {}) | ({"not_run": not_run} if not_run else {})


def _counts(num_rows: int, kept: Sequence[Query], removed: Sequence[Reject]) -> dict[str, Any]:
    assert num_rows == len(kept) + len(removed), "a row that enters leaves exactly once"
    reasons = Counter(f"{reject.stage}/{reject.reason}" for reject in removed)
    return {"read": num_rows, "kept": len(kept), "removed": len(removed), "reasons": dict(sorted(reasons.items()))}


def _reject_to_json(reject: Reject) -> dict[str, Any]:
    return {"id": reject.query_id, "stage": reject.stage, "reason": reject.reason, "evidence": reject.evidence}


def _lines(values: Iterable[dict[str, Any]]) -> Iterable[bytes]:
    return (orjson.dumps(value, option=orjson.OPT_APPEND_NEWLINE) for value in values)
