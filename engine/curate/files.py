"""`reasonmill curate`: query files in, kept.jsonl, removed.jsonl and counts.json out.

Every row that is read is in exactly one of the first two, kept ones as readers.query_to_json writes them, removed ones
with id, stage, reason and evidence. variants.jsonl names the kept ones that are like another kept one but for their
numbers. They appear together (`output.py`); a pass that was killed is made again and writes the same.

The rows are read once, in batches; what is kept is copied from the spool. Memory does not grow with the texts, but for
the steps that compare or label all that is left (`refine.py`), where they are turned on.
"""

from collections import Counter
from collections.abc import AsyncGenerator, Callable, Iterator, Sequence
from contextlib import ExitStack, aclosing, closing, suppress
from pathlib import Path
from typing import Any, BinaryIO

import numpy as np
import orjson

from reasonmill.engine.curate import output
from reasonmill.engine.curate.decisions import Decisions
from reasonmill.engine.curate.decontaminate import Evaluation, EvaluationItem
from reasonmill.engine.curate.embedding_model import encoder_missing, model_folder
from reasonmill.engine.curate.embeddings import EmbeddingDecontaminator
from reasonmill.engine.curate.evaluation import load_evaluation
from reasonmill.engine.curate.index import Index
from reasonmill.engine.curate.profile import read_profile
from reasonmill.engine.curate.reading import Reading
from reasonmill.engine.curate.refine import Refined, refined, works_on_all
from reasonmill.engine.curate.rejects_file import RejectsFile
from reasonmill.engine.curate.settings import RULES, AgainstSettings, CurateSettings, EmbeddingSettings, Rule
from reasonmill.engine.curate.spool import Spool
from reasonmill.engine.records import Query, Reject, content_id
from reasonmill.engine.store.digest import digest_of
from reasonmill.engine.store.file_names import name_and_path
from reasonmill.engine.store.readers import query_to_json

_CHUNK = 256  # queries of one embedding call
WORK_FOLDER = ".curating"
WRITTEN = output.WRITTEN


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
    `against` are further evaluation sets, FILE or NAME=FILE, compared by every rule; where no encoder is installed
    they are compared by text alone, and the counts say so under `not_run`. What a failed call writes, and where, says
    `output.py`; an index learns nothing from it.

    Raises FileNotFoundError or ValueError for an input that cannot be read or a folder that another call writes to,
    RunFailed if the encoder keeps dying, and ValueError for too many unreadable rows.
    """
    _check_named(settings.embeddings)
    missing = encoder_missing(settings.embeddings) if against and settings.embeddings.enabled else None
    rules: tuple[Rule, ...] = ("containment", "ngram") if missing else RULES
    sets = [name_and_path(text) for text in against]
    given = [AgainstSettings(path=path, name=name, rules=rules) for name, path in sets]
    evaluation = load_evaluation((*settings.against, *given))
    for path in queries:
        if not Path(path).is_file():
            raise FileNotFoundError(f"input file {path!r} does not exist or is not a file")
    folder = Path(output_dir)
    by_text = Evaluation(evaluation, settings.decontaminate)
    with ExitStack() as stack:
        stack.enter_context(output.held(folder))
        earlier = stack.enter_context(open_index(index, settings)) if index else None
        reading = stack.enter_context(Reading(folder / WORK_FOLDER, by_text, settings, on_progress=on_progress))
        reading.read(queries, category=category)
        on_progress(f"deciding on {len(reading.spool):,} queries")
        behind = stack.enter_context(closing(RejectsFile(folder / WORK_FOLDER / "behind.jsonl")))
        decisions = None
        try:
            decisions = reading.decide(earlier, "" if earlier is None else _inputs_digest(queries))
            refinement = await _go_on(folder, reading.spool, decisions, evaluation, settings, behind)
        except Exception as failure:
            with suppress(OSError):  # a disk that is full holds no more than the reason, which is raised
                output.write_failure(folder, reading, decisions, behind, failure)
            raise
        counts = _refinement_counts(refinement, missing)
        return _write(
            folder, reading, decisions, behind, refinement.kept if settings.tags.any else None, counts, settings
        )


def _check_named(settings: EmbeddingSettings) -> None:
    """Raise ValueError for a model or a profile that is named and is none, before anything is read."""
    if settings.enabled and settings.model is not None:
        model_folder(settings.model)
    if settings.enabled and settings.profile is not None:
        read_profile(settings.profile)


def open_index(folder: str, settings: CurateSettings) -> Index:
    """The index in a folder, to be entered. Raises ValueError where curation finds no near-duplicates."""
    if settings.near_duplicate_threshold is None:
        raise ValueError("near_duplicate_threshold is null: an index is of near-duplicates")
    return Index(Path(folder), num_threads=settings.num_threads)


def _inputs_digest(queries: Sequence[str]) -> str:
    """Names the month that an index is told of: by the contents of its files, whatever is done with them."""
    return content_id(*sorted(map(digest_of, queries)))


def _write(
    folder: Path,
    reading: Reading,
    decisions: Decisions,
    behind: RejectsFile,
    labelled: Sequence[Query] | None,
    more_counts: dict[str, Any],
    settings: CurateSettings,
) -> dict[str, Any]:
    """Writes everything and returns the counts; `labelled` are the kept queries where they got labels.

    The index is told before the files get their names, for the same call made again finds what it found.
    """
    failure = _too_many_unreadable(reading, settings)
    place = folder if failure is None else output.place_of_failed(folder)
    with output.writing(place) as files:
        for reject in output.removed_rows(reading, decisions, behind):
            files.remove(reject)
        if labelled is None:
            _copy_kept(reading.spool, decisions, files.kept)
        else:
            files.kept.writelines(
                orjson.dumps(query_to_json(query), option=orjson.OPT_APPEND_NEWLINE) for query in labelled
            )
        num_kept, num_removed = int(np.count_nonzero(decisions.left)), sum(files.reasons.values())
        assert reading.num_rows == num_kept + num_removed, "a row that enters leaves exactly once"
        counts: dict[str, Any] = {} if failure is None else {"failed": str(failure)}
        counts |= {
            "read": reading.num_rows,
            "kept": num_kept,
            "removed": num_removed,
            "reasons": dict(sorted(files.reasons.items())),
        }
        counts |= more_counts
        files.variants.writelines(_variants(reading.spool, decisions))
        files.count(counts)
        if failure is None:
            files.together.sync()
            reading.remember()
    if place == folder:
        output.clear_failed(folder)
    if failure is not None:
        failure.add_note(f"all that was removed is in {str(place / output.REMOVED)!r}")
        raise failure
    return counts


def _too_many_unreadable(reading: Reading, settings: CurateSettings) -> ValueError | None:
    try:
        reading.check_readable(settings.max_unreadable_share, "max_unreadable_share")
    except ValueError as failure:
        return failure
    return None


async def _go_on(
    folder: Path,
    spool: Spool,
    decisions: Decisions,
    evaluation: Sequence[EvaluationItem],
    settings: CurateSettings,
    behind: RejectsFile,
) -> Refined:
    """The steps behind those by text: what they remove is taken out of the decisions, and told in `behind`."""
    if works_on_all(settings):
        return await _refine(folder, spool, decisions, evaluation, settings, behind)
    if settings.embeddings.enabled and any("embedding" in item.rules for item in evaluation):
        async with aclosing(_too_close(spool, decisions, evaluation, settings)) as found:
            async for number, reject in found:
                decisions.left[number] = False
                behind.add(number, reject)
    return Refined(kept=[])


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
    folder: Path,
    spool: Spool,
    decisions: Decisions,
    evaluation: Sequence[EvaluationItem],
    settings: CurateSettings,
    behind: RejectsFile,
) -> Refined:
    """The steps that need all queries in memory."""
    numbers = np.flatnonzero(decisions.left[: len(spool)]).tolist()
    queries = [spool.query(number) for number in numbers]
    refinement = await refined(queries, evaluation, settings, log_dir=folder / "logs")
    number_of = {query.id: number for query, number in zip(queries, numbers, strict=True)}
    for reject in refinement.removed:
        decisions.left[number_of[reject.query_id]] = False
        behind.add(number_of[reject.query_id], reject)
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
