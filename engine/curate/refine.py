"""What curation does behind the pass by text, to the few per cent dearer queries that are left: rule `embedding`,
semantic duplicates, and what a language model is asked. Each step is off unless the settings turn it on.

Every query leaves once, kept or as a Reject; of a kept one nothing changes but its tags. A model is asked last, about
queries that nothing else removes; one that does not answer removes nothing, and the counts say so.
"""

from collections import Counter
from collections.abc import Sequence
from contextlib import AsyncExitStack
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any

from reasonmill.engine.curate import questions, tags
from reasonmill.engine.curate.asking import Answer, ask_all
from reasonmill.engine.curate.embeddings import EmbeddingDecontaminator
from reasonmill.engine.curate.encoder import Encoder
from reasonmill.engine.curate.evaluation_item import EvaluationItem
from reasonmill.engine.curate.semantic import without_likenesses
from reasonmill.engine.curate.settings import CurateSettings
from reasonmill.engine.records import Query, Reject
from reasonmill.engine.teachers.protocol import Teacher
from reasonmill.kernels.corpus import Corpus

_COMPARED = 256  # queries of one embedding call
_SHOWN = 120  # characters of evidence


@dataclass(kw_only=True, slots=True)
class Refined:
    """`kept` in input order; `removed` in the order of the steps; `not_run`: by question, how many have no answer."""

    kept: list[Query]
    removed: list[Reject] = field(default_factory=list)
    not_run: dict[str, dict[str, int]] = field(default_factory=dict)


def works_on_all(settings: CurateSettings) -> bool:
    """Whether a step is on that needs all queries at once; the rule `embedding` does not."""
    return settings.semantic.enabled or settings.tags.any or settings.filters.ask_incomplete


def has_work(settings: CurateSettings, evaluation: Sequence[EvaluationItem]) -> bool:
    """Whether `refined` would do anything."""
    compares = settings.embeddings.enabled and any("embedding" in item.rules for item in evaluation)
    return compares or works_on_all(settings)


async def refined(
    queries: Sequence[Query], evaluation: Sequence[EvaluationItem], settings: CurateSettings, *, log_dir: Path
) -> Refined:
    """The queries behind all steps. Raises ValueError for a model that cannot be loaded, RunFailed if one dies."""
    result = Refined(kept=list(queries))
    if not queries or not has_work(settings, evaluation):
        return result
    await _by_vectors(result, evaluation, settings)
    async with AsyncExitStack() as stack:
        if settings.asks_model and result.kept:
            from reasonmill.engine.teachers.open import open_teachers

            assert settings.ask.teacher is not None, "settings that ask name a model"
            log_dir.mkdir(parents=True, exist_ok=True)
            opened = await stack.enter_async_context(open_teachers([settings.ask.teacher], log_dir=log_dir))
            teacher = opened[settings.ask.teacher.name]
            await _complete_ones(result, teacher, settings)
            await _ask_tags(result, teacher, settings)
    _tag_by_text(result, settings)
    _downsample(result, settings)
    return result


async def _by_vectors(result: Refined, evaluation: Sequence[EvaluationItem], settings: CurateSettings) -> None:
    compares = settings.embeddings.enabled and any("embedding" in item.rules for item in evaluation)
    if not compares and not settings.semantic.enabled:
        return
    async with Encoder(settings.embeddings) as encoder:
        if compares:
            async with EmbeddingDecontaminator(evaluation, settings, encoder=encoder) as decontaminator:
                await _decontaminate(result, decontaminator)
        if settings.semantic.enabled:
            found = await without_likenesses(result.kept, settings, encoder)
            result.kept = found.kept
            result.removed.extend(found.removed)


async def _decontaminate(result: Refined, decontaminator: EmbeddingDecontaminator) -> None:
    queries, result.kept = result.kept, []
    for start in range(0, len(queries), _COMPARED):
        some = queries[start : start + _COMPARED]
        for query, reject in zip(some, await decontaminator.check(some), strict=True):
            if reject is None:
                result.kept.append(query)
            else:
                result.removed.append(reject)


async def _complete_ones(result: Refined, teacher: Teacher, settings: CurateSettings) -> None:
    if not settings.filters.ask_incomplete:
        return
    answers = await ask_all(teacher, questions.COMPLETE, result.kept, **_limits(settings))
    queries, result.kept = result.kept, []
    for query, answer in zip(queries, answers, strict=True):
        if answer.value is False:
            evidence = {"why": "judged", "by": teacher.name, "text": query.text[-_SHOWN:]}
            result.removed.append(Reject(query_id=query.id, stage="curate", reason="incomplete", evidence=evidence))
        else:
            result.kept.append(query)
    _count_missing(result, "incomplete", answers)


async def _ask_tags(result: Refined, teacher: Teacher, settings: CurateSettings) -> None:
    for question, wanted in ((questions.DIFFICULTY, settings.tags.difficulty), (questions.TOPIC, settings.tags.topic)):
        if wanted:
            answers = await ask_all(teacher, question, result.kept, **_limits(settings))
            result.kept = [
                _tagged(query, question.name, answer.value or "unknown")
                for query, answer in zip(result.kept, answers, strict=True)
            ]
            _count_missing(result, question.name, answers)


def _limits(settings: CurateSettings) -> dict[str, int]:
    return {"max_asked": settings.ask.max_asked, "max_faults": settings.ask.max_faults}


def _count_missing(result: Refined, name: str, answers: Sequence[Answer[Any]]) -> None:
    reasons = Counter(answer.reason for answer in answers if answer.value is None)
    if reasons:
        result.not_run[name] = dict(sorted(reasons.items()))


def _tag_by_text(result: Refined, settings: CurateSettings) -> None:
    if settings.tags.language:
        result.kept = [_tagged(query, "language", tags.language(query.text)) for query in result.kept]
    if settings.tags.length:
        counts = Corpus([query.text for query in result.kept], num_threads=settings.num_threads).num_words
        result.kept = [
            _tagged(query, "length", tags.length(number))
            for query, number in zip(result.kept, counts.tolist(), strict=True)
        ]


def _downsample(result: Refined, settings: CurateSettings) -> None:
    queries, result.kept = result.kept, []
    for query in queries:
        reject = tags.downsampled(query, settings.tags)
        if reject is None:
            result.kept.append(query)
        else:
            result.removed.append(reject)


def _tagged(query: Query, name: str, label: str) -> Query:
    return replace(query, tags={**query.tags, name: label})
