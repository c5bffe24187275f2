"""`reasonmill curate`: query files in, kept.jsonl, removed.jsonl and counts.json out.

Every row that is read is in exactly one of the first two, kept ones as readers.query_to_json writes them, removed ones
with id, stage, reason and evidence. variants.jsonl names the kept ones that are like another kept one but for their
numbers. All are written aside and renamed, counts.json last; a pass that was killed is made again and writes the same.

The rows are read once, in batches; what is kept is copied from the spool. Memory does not grow with the texts, but for
the steps that compare or label all that is left (`refine.py`), where they are turned on.
"""

import fcntl
import os
from collections import Counter
from collections.abc import AsyncGenerator, Callable, Iterator, Sequence
from contextlib import ExitStack, aclosing, contextmanager
from dataclasses import asdict
from pathlib import Path
from typing import Any, BinaryIO

import numpy as np
import orjson

from reasonmill.engine.curate.decisions import Decisions, removals
from reasonmill.engine.curate.decontaminate import Evaluation, EvaluationItem
from reasonmill.engine.curate.embedding_model import encoder_missing
from reasonmill.engine.curate.embeddings import EmbeddingDecontaminator
from reasonmill.engine.curate.evaluation import load_evaluation
from reasonmill.engine.curate.index import Index
from reasonmill.engine.curate.reading import Reading
from reasonmill.engine.curate.refine import Refined, refined, works_on_all
from reasonmill.engine.curate.rejects_file import reject_to_json
from reasonmill.engine.curate.settings import RULES, AgainstSettings, CurateSettings, Rule
from reasonmill.engine.curate.spool import Spool
from reasonmill.engine.records import Reject, content_id
from reasonmill.engine.store.aside import whole_file
from reasonmill.engine.store.digest import digest_of
from reasonmill.engine.store.readers import query_to_json

_CHUNK = 256  # queries of one embedding call
WORK_FOLDER = ".curating"
WRITTEN = ("counts.json", "variants.jsonl", "removed.jsonl", "kept.jsonl")


async def curate_files(
    queries: Sequence[str],
    against: Sequence[str],
    output_dir: str,
    settings: CurateSettings,
    *,
    category: str | None = None,
    index: str | None = None,
    on_progress: Callable[[str], None] = lambda progress: None,
) -> dict[str, Any]:
    """Curates the files and returns the counts.

    `index` is a folder that knows what earlier calls kept (`index.py`); the same call made again finds what it found.
    `against` are further evaluation sets, compared by every rule; where no encoder is installed they are compared by
    text alone, and the counts say so under `not_run`. Raises FileNotFoundError or ValueError for an input that cannot
    be read or a folder that another call writes to, RunFailed if the encoder keeps dying, and ValueError, after all is
    written, for too many unreadable rows.
    """
    missing = encoder_missing(settings.embeddings) if against and settings.embeddings.enabled else None
    rules: tuple[Rule, ...] = ("containment", "ngram") if missing else RULES
    evaluation = load_evaluation((*settings.against, *(AgainstSettings(path=path, rules=rules) for path in against)))
    for path in queries:
        if not Path(path).is_file():
            raise FileNotFoundError(f"input file {path!r} does not exist or is not a file")
    folder = Path(output_dir)
    by_text = Evaluation(evaluation, settings.decontaminate)
    with ExitStack() as stack:
        stack.enter_context(_held(folder))
        earlier = stack.enter_context(open_index(index, settings)) if index else None
        reading = stack.enter_context(Reading(folder / WORK_FOLDER, by_text, settings, on_progress=on_progress))
        reading.read(queries, category=category)
        on_progress(f"deciding on {len(reading.spool):,} queries")
        inputs = "" if earlier is None else _inputs_digest(queries, category, settings)
        decisions = reading.decide(earlier, inputs)
        counts = await _write(folder, reading, decisions, evaluation, settings, missing)
        reading.check_readable(settings.max_unreadable_share, "max_unreadable_share")
        reading.remember()  # last: what failed is mended and said again, and must not meet itself
    return counts


@contextmanager
def _held(folder: Path) -> Iterator[None]:
    """The output folder, held by one call at a time: two would empty each other's work folder. It leaves no file."""
    folder.mkdir(parents=True, exist_ok=True)
    handle = os.open(folder, os.O_RDONLY | os.O_DIRECTORY)
    try:
        try:
            fcntl.flock(handle, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            raise ValueError(f"output folder {str(folder)!r} is in use by another curate: choose another") from None
        yield
    finally:
        os.close(handle)


def open_index(folder: str, settings: CurateSettings) -> Index:
    """The index in a folder, to be entered. Raises ValueError where curation finds no near-duplicates."""
    if settings.near_duplicate_threshold is None:
        raise ValueError("near_duplicate_threshold is null: an index is of near-duplicates")
    return Index(Path(folder), num_threads=settings.num_threads)


def _inputs_digest(queries: Sequence[str], category: str | None, settings: CurateSettings) -> str:
    """Names what an index is told: contents of the files, and what decides which of their rows are unique."""
    decides = [settings.near_duplicate_threshold, settings.number_guard, asdict(settings.filters)]
    return content_id(*map(digest_of, queries), category or "", repr(decides))


async def _write(
    folder: Path,
    reading: Reading,
    decisions: Decisions,
    evaluation: Sequence[EvaluationItem],
    settings: CurateSettings,
    missing: str | None,
) -> dict[str, Any]:
    with ExitStack() as files:
        counts_file, variants_file, removed_file, kept_file = (
            files.enter_context(whole_file(folder / name)) for name in WRITTEN
        )
        reasons: Counter[str] = Counter()

        def remove(reject: Reject) -> None:
            reasons[f"{reject.stage}/{reject.reason}"] += 1
            removed_file.write(orjson.dumps(reject_to_json(reject), option=orjson.OPT_APPEND_NEWLINE))

        for reject in _unfit(reading):
            remove(reject)
        for reject in reading.filtered():
            remove(reject)
        for reject in removals(decisions, reading.spool, len(reading.spool)):
            remove(reject)
        refinement = Refined(kept=[])
        if works_on_all(settings):
            refinement = await _refine(folder, reading.spool, decisions, evaluation, settings)
            for reject in refinement.removed:
                remove(reject)
        elif settings.embeddings.enabled and any("embedding" in item.rules for item in evaluation):
            async with aclosing(_too_close(reading.spool, decisions, evaluation, settings)) as found:
                async for number, reject in found:
                    decisions.left[number] = False
                    remove(reject)
        if settings.tags.any:
            _write_kept(refinement, kept_file)
        else:
            _copy_kept(reading.spool, decisions, kept_file)
        num_kept, num_removed = int(np.count_nonzero(decisions.left)), sum(reasons.values())
        assert reading.num_rows == num_kept + num_removed, "a row that enters leaves exactly once"
        counts: dict[str, Any] = {
            "read": reading.num_rows,
            "kept": num_kept,
            "removed": num_removed,
            "reasons": dict(sorted(reasons.items())),
        }
        counts |= _refinement_counts(refinement, missing)
        variants_file.writelines(_variants(reading.spool, decisions))
        counts_file.write(orjson.dumps(counts, option=orjson.OPT_INDENT_2 | orjson.OPT_APPEND_NEWLINE))
    return counts


def _unfit(reading: Reading) -> Iterator[Reject]:
    """Rows that are no query and queries with an id that one before had, in input order."""
    unreadable = reading.unreadable()
    waiting = next(unreadable, None)
    for number, first in reading.repeated():
        while waiting is not None and waiting[0] <= number:
            yield waiting[1]
            waiting = next(unreadable, None)
        yield _repeated(reading.spool, number, first)
    if waiting is not None:
        yield waiting[1]
    yield from (reject for _, reject in unreadable)


def _repeated(spool: Spool, number: int, first: int) -> Reject:
    """An id that was seen before: a copy where the question is the same, else a mistake in the input."""
    id_ = spool.id(number)
    if spool.same_question(number, first):
        same = {"of": id_, "match": "identical"}
        return Reject(query_id=id_, stage="curate", reason="exact_duplicate", evidence=same)
    prompt = spool.query(number).prompt[:240]
    return Reject(query_id=id_, stage="read", reason="repeated_id", evidence={"prompt": prompt})


async def _too_close(
    spool: Spool, decisions: Decisions, evaluation: Sequence[EvaluationItem], settings: CurateSettings
) -> AsyncGenerator[tuple[int, Reject], None]:
    """What the rule `embedding` removes of those that are left, in input order."""
    left = np.flatnonzero(decisions.left).tolist()
    async with EmbeddingDecontaminator(evaluation, settings) as decontaminator:
        for at in range(0, len(left), _CHUNK):
            chunk = left[at : at + _CHUNK]
            checked = await decontaminator.check([spool.query(number) for number in chunk])
            for number, reject in zip(chunk, checked, strict=True):
                if reject is not None:
                    yield number, reject


async def _refine(
    folder: Path, spool: Spool, decisions: Decisions, evaluation: Sequence[EvaluationItem], settings: CurateSettings
) -> Refined:
    """The steps that need all queries in memory, with what they remove taken out of the decisions."""
    numbers = np.flatnonzero(decisions.left[: len(spool)]).tolist()
    queries = [spool.query(number) for number in numbers]
    refinement = await refined(queries, evaluation, settings, log_dir=folder / "logs")
    number_of = {query.id: number for query, number in zip(queries, numbers, strict=True)}
    for reject in refinement.removed:
        decisions.left[number_of[reject.query_id]] = False
    return refinement


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


def _write_kept(refinement: Refined, stream: BinaryIO) -> None:
    stream.writelines(orjson.dumps(query_to_json(query), option=orjson.OPT_APPEND_NEWLINE) for query in refinement.kept)


def _copy_kept(spool: Spool, decisions: Decisions, stream: BinaryIO) -> None:
    """The kept records: the spool's own file in place of the stream's, which is empty, where that can be."""
    kept = decisions.left[: len(spool)]
    if not spool.give_up(kept, stream):
        stream.writelines(b"".join(stretches) for stretches in spool.kept_pieces(kept))


def _variants(spool: Spool, decisions: Decisions) -> Iterator[bytes]:
    of = decisions.variant_of
    stays = decisions.left | (
        np.arange(len(of)) >= len(spool)
    )  # what was kept earlier has its number behind the others
    both = decisions.left & (of >= 0) & stays[np.maximum(of, 0)]
    for number in np.flatnonzero(both).tolist():
        value = {"id": spool.id(number), "of": spool.id(int(of[number]))}
        yield orjson.dumps(value, option=orjson.OPT_APPEND_NEWLINE)
