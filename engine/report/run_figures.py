"""All that a page says of a run, gathered once: its small files, its dataset, its journal, its timeline."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from reasonmill.engine.report.journal_figures import JournalFigures, read_journal
from reasonmill.engine.report.numbers import is_number
from reasonmill.engine.report.run_files import RunFiles, read_json_lines, read_run
from reasonmill.engine.report.spans import Timeline, read_timeline
from reasonmill.engine.report.word_markers import Markers, count_markers
from reasonmill.engine.store.dataset_figures import DatasetFigures, measure_dataset
from reasonmill.engine.store.journal import JournalError
from reasonmill.engine.store.shards import read_shard_rows, shard_paths


@dataclass(kw_only=True)
class RunFigures:
    """Everything read from a run directory; `missing` says in sentences what was not there."""

    files: RunFiles
    dataset: DatasetFigures
    journal: JournalFigures | None = None
    timeline: Timeline | None = None
    removed_examples: dict[str, dict[str, Any]] = field(default_factory=dict)  # by reason, the first of each
    samples: list[dict[str, Any]] = field(default_factory=list)  # the first row of each category
    markers: dict[str, Markers] = field(default_factory=dict)  # by teacher

    @property
    def missing(self) -> list[str]:
        """Sentences, in the order in which files were looked for."""
        return self.files.missing

    def fact(self, key: str) -> Any:
        """A figure of the summary, else the same figure from journal and dataset, else None."""
        value = self.files.summary.get(key)
        return value if value is not None else self._from_journal().get(key)

    def number(self, key: str) -> float | None:
        """As `fact`, but only a finite number."""
        value = self.fact(key)
        return value if is_number(value) else None

    def counts(self, key: str) -> list[tuple[str, int]]:
        """As `fact` for an object of counts: (name, count), the largest first."""
        value = self.fact(key)
        if not isinstance(value, Mapping):
            return []
        return sorted(((str(k), v) for k, v in value.items() if is_number(v)), key=lambda item: (-item[1], item[0]))

    def _from_journal(self) -> dict[str, Any]:
        journal = self.journal
        if journal is None:
            return {}
        removed: dict[str, int] = {}
        for (_, reason), number in journal.rejects.items():
            removed[reason] = removed.get(reason, 0) + number
        return {
            "queries_in": journal.num_queries - journal.num_removed_later + sum(journal.rejects.values()),
            "removed": removed,
            "kept": journal.num_queries - journal.num_removed_later,
            "pairs": sum(journal.pairs.values()),
            "accepted": sum(journal.accepted.values()),
            "unanswered": dict(journal.unanswered),
            "withheld": {reason: n for (stage, reason), n in journal.pair_rejects.items() if stage == "intersect"},
            "samples": self.dataset.num_samples or None,
            "attempts": sum(journal.attempts.values()),
            "attempts_by_number_accepted": {str(k): v for k, v in journal.accepted_by_number.items()},
            "generated_tokens": journal.generated_tokens,
            "accepted_tokens": journal.accepted_tokens,
        }


def gather(run_dir: Path) -> RunFigures:
    """Read a run directory. Raises ValueError where there is no such folder."""
    files = read_run(run_dir)
    shards = shard_paths(run_dir)
    figures = RunFigures(files=files, dataset=measure_dataset(shards))
    if not shards:
        files.missing.append("dataset/: no shard has been written.")
    files.missing += [f"dataset/{text}" for text in figures.dataset.unreadable]
    try:
        figures.journal = read_journal(run_dir / "journal.sqlite")
    except JournalError as error:
        files.missing.append(f"journal.sqlite: {error}; acceptance by category and failed attempts are not shown.")
    figures.timeline = _timeline(files)
    for name in ("removed.jsonl", "unanswered.jsonl", "withheld.jsonl", "unpacked.jsonl"):
        for line in read_json_lines(run_dir / "rejects" / name):
            figures.removed_examples.setdefault(str(line.get("reason")), line)
    broken = {text.partition(":")[0] for text in figures.dataset.unreadable}
    sound = [shard for shard in shards if f"{shard.parent.name}/{shard.name}" not in broken]
    figures.samples = _first_of_each_category(sound, figures.dataset)
    figures.markers = count_markers(sound)
    return figures


def _timeline(files: RunFiles) -> Timeline | None:
    path = files.run_dir / "trace.json"
    if not path.is_file():
        files.missing.append("trace.json: the timeline is written at the end of a run.")
        return None
    try:
        timeline = read_timeline(path)
    except ValueError as error:
        files.missing.append(f"{error}.")
        return None
    if timeline is None:
        files.missing.append("trace.json: it holds no span.")
    return timeline


def _first_of_each_category(shards: list[Path], dataset: DatasetFigures) -> list[dict[str, Any]]:
    found: dict[str, dict[str, Any]] = {}
    for shard in shards:
        category = shard.stem.rpartition("-")[0]
        if category not in found:
            row = next(read_shard_rows([shard]), None)
            if row is not None:
                found[category] = row
    return [found[category] for category in dataset.categories if category in found]
