"""What stands behind `reasonmill pack`: dataset files to a packed folder. Every row of a file is packed or is a line of
`removed.jsonl` with its reason.
"""

import sys
import time
from collections import Counter
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path
from typing import BinaryIO

import orjson

from reasonmill.engine.store.aside import named, whole_file
from reasonmill.engine.store.rows import read_rows
from reasonmill.engine.train.dataset_rows import sample_of_row
from reasonmill.packing.chat import ChatEncoder, Encoded
from reasonmill.packing.documents import Document, PackCounts, pack_documents, survey_documents
from reasonmill.packing.layout import PUBLISHED
from reasonmill.packing.settings import PackSettings
from reasonmill.packing.survey import Survey, survey_lengths

_MAX_UNREADABLE = 0.01  # share of rows from which the command fails
_PROGRESS_S = 10.0
_BAD = ("unreadable_line", "not_encodable")

Show = Callable[[ChatEncoder, str, Encoded], None]


def pack_files(
    inputs: Sequence[str],
    output_dir: str,
    settings: PackSettings,
    *,
    num_ranks: Sequence[int] = (8, 64),
    show: Show = lambda encoder, name, encoded: None,
) -> dict[str, object]:
    """Pack dataset files (a run's shards, what `export` writes, or rows whose `messages` end with the answer); returns
    the counts.

    Raises ValueError naming a missing tokenizer, a folder that already holds a packed set, or too many unreadable rows.
    """
    tokenizer, folder = _tokenizer(settings), Path(output_dir)
    if (folder / PUBLISHED).exists():
        raise ValueError(f"--output-dir {output_dir!r} holds a packed set already: choose another")
    path = folder / "removed.jsonl"
    with whole_file(path) as stream, named(folder):
        removed = _Removed(stream)
        counts = pack_documents(
            _documents(inputs, settings, removed),
            output_dir,
            tokenizer_dir=tokenizer,
            settings=settings,
            num_ranks=num_ranks,
            seen=_with_progress(show),
        )
        for name, error in counts.unencodable:
            removed.add(name, "not_encodable", error=error)
        for name in counts.too_long:
            removed.add(name, "too_long")
    num_read = counts.survey.num_documents + removed.counts.total()
    try:
        _check_share(removed.num_bad, num_read, f"see {path}")
    except ValueError:
        (folder / PUBLISHED).unlink()  # a command that failed leaves no set, and may be given again
        raise
    return _figures(counts, removed)


def survey_files(
    inputs: Sequence[str],
    settings: PackSettings,
    *,
    num_ranks: Sequence[int] = (8, 64),
    show: Show = lambda encoder, name, encoded: None,
) -> dict[str, object]:
    """What `pack_files` would say, from lengths alone; writes nothing. Files whose rows all have `num_tokens` need no
    tokenizer.

    Raises ValueError as `pack_files`, and for files of which some rows have `num_tokens` and some not.
    """
    if _has_lengths(inputs):
        lengths = survey_lengths(_lengths(inputs), settings, num_ranks=num_ranks)
        return _survey_figures(lengths)
    removed = _Removed(None)
    counts = survey_documents(
        _documents(inputs, settings, removed),
        tokenizer_dir=_tokenizer(settings),
        settings=settings,
        num_ranks=num_ranks,
        seen=_with_progress(show),
    )
    for name, error in counts.unencodable:
        removed.add(name, "not_encodable", error=error)
    num_read = counts.survey.num_documents + len(counts.too_long) + removed.counts.total()
    _check_share(removed.num_bad, num_read, f"the first: {removed.first_bad}")
    return _figures(counts, removed)


class _Removed:
    """Rows that are not packed: counted, and written to `removed.jsonl` as they come."""

    def __init__(self, stream: BinaryIO | None) -> None:
        self._stream = stream
        self.counts: Counter[str] = Counter()
        self.first_bad: dict[str, object] = {}

    def add(self, name: str, reason: str, **evidence: object) -> None:
        self.counts[reason] += 1
        if reason in _BAD and not self.first_bad:
            self.first_bad = {"id": name, **evidence}
        if self._stream is not None:
            record = {"id": name, "stage": "pack", "reason": reason, "evidence": evidence}
            self._stream.write(orjson.dumps(record, option=orjson.OPT_APPEND_NEWLINE))

    @property
    def num_bad(self) -> int:
        """Rows that could not be used, rather than not be wanted."""
        return sum(self.counts[reason] for reason in _BAD)


def _tokenizer(settings: PackSettings) -> str:
    if not settings.tokenizer:
        raise ValueError("pack.tokenizer is missing: a folder with the student's tokenizer and chat template")
    return settings.tokenizer


def _check_share(num_bad: int, num_rows: int, where: str) -> None:
    if num_bad > _MAX_UNREADABLE * num_rows:
        raise ValueError(f"{num_bad} of {num_rows} dataset rows cannot be read: {where}")


def _figures(counts: PackCounts, removed: _Removed) -> dict[str, object]:
    figures = _survey_figures(counts.survey)
    figures["targets"] = counts.num_targets
    figures["not_chosen"] = removed.counts["not_chosen"]
    figures["unreadable"] = removed.counts["unreadable_line"]
    figures["not encodable"] = len(counts.unencodable)
    example = f", {counts.retokenised[0]} for one" if counts.retokenised else ""
    figures["tokenised otherwise"] = f"{len(counts.retokenised)} of {counts.num_checked} checked{example}"
    return figures


def _survey_figures(survey: Survey) -> dict[str, object]:
    figures: dict[str, object] = {
        "samples": survey.num_documents,
        "rows": survey.num_rows,
        "tokens": survey.num_tokens,
        "fill": round(survey.fill, 5),
        "waste": survey.waste,
        "too_long": survey.num_excluded,
        "longest": survey.longest,
    }
    for balance in survey.balance:
        shuffled, balanced = 100 * (balance.shuffled - 1), 100 * (balance.balanced - 1)
        figures[f"{balance.num_ranks} ranks wait"] = f"{shuffled:.2f} % shuffled, {balanced:.2f} % balanced"
    return figures


def _with_progress(show: Show) -> Show:
    """`show`, and every ten seconds a line on standard error."""
    began = last = time.monotonic()
    samples = tokens = 0

    def seen(encoder: ChatEncoder, name: str, encoded: Encoded) -> None:
        nonlocal last, samples, tokens
        show(encoder, name, encoded)
        samples += 1
        tokens += len(encoded.input_ids)
        now = time.monotonic()
        if now - last >= _PROGRESS_S:
            last = now
            rate = samples / (now - began)
            print(f"{samples:,} samples  {tokens:,} tokens  {rate:,.0f} samples/s", file=sys.stderr, flush=True)

    return seen


def _documents(inputs: Sequence[str], settings: PackSettings, removed: _Removed) -> Iterator[Document]:
    """Chosen rows as (name, turns); what is not chosen or cannot be read goes to `removed`."""
    for path in inputs:
        for row in read_rows(path):
            try:
                if row.value is None:
                    raise ValueError(row.error)
                sample = sample_of_row(row.value, f"{path}:{row.line}")
            except ValueError as error:
                removed.add(str(row.line), "unreadable_line", file=str(path), error=str(error))
                continue
            if (settings.teachers and sample.teacher not in settings.teachers) or (
                settings.categories and sample.category not in settings.categories
            ):
                removed.add(sample.name, "not_chosen", model_name=sample.teacher, category=sample.category)
                continue
            yield sample.name, sample.turns


def _has_lengths(inputs: Sequence[str]) -> bool:
    """Whether the first row says how long it is."""
    for path in inputs:
        for row in read_rows(path):
            return row.value is not None and "num_tokens" in row.value
    return False


def _lengths(inputs: Sequence[str]) -> Iterator[int]:
    for path in inputs:
        for row in read_rows(path):
            length = row.value.get("num_tokens") if row.value is not None else None
            if not isinstance(length, int) or isinstance(length, bool) or length < 1:
                raise ValueError(
                    f"{path}:{row.line}: num_tokens is {length!r}, expected a positive integer in every row"
                )
            yield length
