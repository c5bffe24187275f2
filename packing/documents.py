"""Conversations to a finished packed set in one go; the file-to-file form of what a run does sample by sample. Every
document is in the set or named with the reason why it is not.
"""

from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass, field
from itertools import islice
from pathlib import Path

from reasonmill.packing.chat import ChatEncoder, Encoded
from reasonmill.packing.reader import PackedReader
from reasonmill.packing.settings import PackSettings
from reasonmill.packing.survey import Survey, survey_lengths, survey_rows
from reasonmill.packing.writer import PackedWriter

_SYNC_TOKENS = 16 * 2**20  # tokens of a checksummed chunk: 64 MiB of ids
_BATCH = 256  # documents tokenised at once, on all cores
_CHECK_EVERY = 100  # documents, of which one is tokenised again: one percent of the time

Document = tuple[str, Sequence[tuple[str, str]]]


@dataclass(frozen=True, kw_only=True)
class PackCounts:
    """What became of the documents. `too_long` and `unencodable` (with the reason) name those left out;
    `retokenised` names those of `num_checked` whose text gives other tokens when it is tokenised in one piece.
    """

    survey: Survey
    num_targets: int
    too_long: tuple[str, ...]
    unencodable: tuple[tuple[str, str], ...]
    num_checked: int
    retokenised: tuple[str, ...]


@dataclass
class _Findings:
    too_long: list[str] = field(default_factory=list)
    unencodable: list[tuple[str, str]] = field(default_factory=list)
    num_checked: int = 0
    retokenised: list[str] = field(default_factory=list)
    num_targets: int = 0
    longest: int = 0

    def counts(self, survey: Survey) -> PackCounts:
        return PackCounts(
            survey=survey,
            num_targets=self.num_targets,
            too_long=tuple(self.too_long),
            unencodable=tuple(self.unencodable),
            num_checked=self.num_checked,
            retokenised=tuple(self.retokenised),
        )


Seen = Callable[[ChatEncoder, str, Encoded], None]


def pack_documents(
    documents: Iterable[Document],
    folder: str | Path,
    *,
    tokenizer_dir: str | Path,
    settings: PackSettings,
    num_ranks: Sequence[int] = (8, 64),
    seen: Seen = lambda encoder, name, encoded: None,
) -> PackCounts:
    """Pack (name, turns) pairs, turns being (role, content) and ending with the assistant's, into `folder`.

    `seen` is told of each document that was encoded. Raises ValueError when `folder` already holds a packed set.
    """
    findings = _Findings()
    writer = PackedWriter(
        folder,
        max_length=settings.max_length,
        window_documents=settings.window,
        min_fill=settings.min_fill,
        max_wait_documents=settings.max_wait_documents,
    )
    unsynced = 0
    for name, encoded in _encoded(documents, ChatEncoder(tokenizer_dir, date=settings.date), findings, seen):
        if not writer.append(encoded.input_ids, encoded.target, document=name):
            findings.too_long.append(name)
            continue
        unsynced += len(encoded.input_ids)
        if unsynced >= _SYNC_TOKENS:
            writer.sync()
            unsynced = 0
    writer.publish(writer.finish())
    reader = PackedReader(folder)
    num_tokens, squares = reader.row_sums()
    findings.num_targets = reader.num_targets
    return findings.counts(
        survey_rows(
            num_tokens=num_tokens,
            squares=squares,
            max_length=settings.max_length,
            num_documents=reader.num_documents,
            num_excluded=len(findings.too_long),
            longest=findings.longest,
            num_ranks=num_ranks,
        )
    )


def survey_documents(
    documents: Iterable[Document],
    *,
    tokenizer_dir: str | Path,
    settings: PackSettings,
    num_ranks: Sequence[int] = (8, 64),
    seen: Seen = lambda encoder, name, encoded: None,
) -> PackCounts:
    """What `pack_documents` would say, from the documents' lengths and without a folder."""
    findings = _Findings()

    def lengths() -> Iterator[int]:
        for name, encoded in _encoded(documents, ChatEncoder(tokenizer_dir, date=settings.date), findings, seen):
            if len(encoded.input_ids) > settings.max_length:
                findings.too_long.append(name)
            else:
                findings.num_targets += int(encoded.target.sum())
            yield len(encoded.input_ids)

    return findings.counts(survey_lengths(lengths(), settings, num_ranks=num_ranks))


def _encoded(
    documents: Iterable[Document], encoder: ChatEncoder, findings: _Findings, seen: Seen
) -> Iterator[tuple[str, Encoded]]:
    remaining, number = iter(documents), 0
    while batch := list(islice(remaining, _BATCH)):
        for (name, _), encoded in zip(batch, encoder.encode_batch([turns for _, turns in batch]), strict=True):
            if isinstance(encoded, ValueError):
                findings.unencodable.append((name, str(encoded)))
                continue
            if number % _CHECK_EVERY == 0:
                findings.num_checked += 1
                if encoder.first_retokenised(encoded) is not None:
                    findings.retokenised.append(name)
            number += 1
            findings.longest = max(findings.longest, len(encoded.input_ids))
            seen(encoder, name, encoded)
            yield name, encoded
