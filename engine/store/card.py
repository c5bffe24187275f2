"""The dataset card: a README.md with the hub's front matter, made from the run's own files and the shards themselves.

It counts what lies on disk, says how it was verified, what was removed and why, and what the data cannot promise.
A run that ended early gets a card that says so. The same files make the same card.
"""

import re
from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from pathlib import Path
from typing import Any

import orjson
import yaml

from reasonmill.engine.store.aside import write_whole
from reasonmill.engine.store.dataset_figures import DatasetFigures, measure_dataset
from reasonmill.engine.store.settings import CardSettings
from reasonmill.engine.store.shards import SHARD_SCHEMA, shard_paths

_SIZES = ((1_000, "n<1K"), (10_000, "1K<n<10K"), (100_000, "10K<n<100K"), (10**6, "100K<n<1M"), (10**7, "1M<n<10M"))

_COLUMN_MEANINGS = {
    "id": "the question's id; rows of several teachers join on it",
    "messages": "the question's turns (`role`, `content`)",
    "prompt": "text of the last user turn",
    "response": "the accepted response, whole",
    "think_content": "its reasoning part",
    "answer_content": "its answer part",
    "category": "task category; it chose the verifier",
    "source": "where the question comes from",
    "ground_truth": "reference answer, or null",
    "test_case": "test cases as JSON text, or null",
    "instruction_constrain": "IFEval constraints as JSON text, or null",
    "verify_score": "score of the verifier in [0, 1]",
    "verifier": "the verifier that accepted the response",
    "model_name": "the teacher",
    "attempt": "number of the accepted attempt, from 1",
    "seed": "sampling seed of that attempt",
    "prompt_tokens": "tokens of the question, by the teacher's tokenizer",
    "completion_tokens": "tokens of the response, by the teacher's tokenizer",
    "finish_reason": "why generation ended",
    "quality": "figures of the quality checks as JSON text",
}


def write_card(run_dir: Path, settings: CardSettings | None = None) -> Path:
    """Write `run_dir/README.md`; returns its path. Raises OSError that names it where it cannot be written."""
    path = run_dir / "README.md"
    figures = measure_dataset(shard_paths(run_dir))
    text = card_text(figures, _summary(run_dir), _recipe(run_dir), settings or CardSettings())
    write_whole(path, text.encode("utf-8", "replace"))
    return path


def card_text(
    figures: DatasetFigures, summary: Mapping[str, Any], recipe: Mapping[str, Any], settings: CardSettings
) -> str:
    """The card of a dataset with these figures; an empty summary or recipe leaves out what only they know."""
    name = " ".join((settings.pretty_name or str(summary.get("run") or "Reasoning traces")).split())
    sections = [
        _front_matter(figures, name, settings),
        f"# {_inline(name)}\n",
        _opening(figures, summary, settings),
        _contents(figures),
        _loading(figures),
        _columns(),
        _verification(figures, recipe),
        _funnel(summary),
        _recipe_section(summary, recipe),
        _limits(figures, summary, recipe),
    ]
    return "\n".join(section for section in sections if section)


def _front_matter(figures: DatasetFigures, name: str, settings: CardSettings) -> str:
    matter: dict[str, Any] = {"pretty_name": name, "license": settings.license}
    if settings.license_name:
        matter["license_name"] = settings.license_name
    matter["language"] = list(settings.languages)
    matter["task_categories"] = ["text-generation"]
    matter["tags"] = ["reasoning", "chain-of-thought", "distillation", "verified", "synthetic", "reasonmill"]
    matter["size_categories"] = [next((s for bound, s in _SIZES if figures.num_samples < bound), "10M<n<100M")]
    configs = {"default": "dataset/*/*.parquet"}
    configs |= {_config_name(teacher): f"dataset/{teacher}/*.parquet" for teacher in figures.teachers}
    matter["configs"] = [
        {"config_name": config, "data_files": [{"split": "train", "path": path}]} for config, path in configs.items()
    ]
    return f"---\n{yaml.safe_dump(matter, sort_keys=False, allow_unicode=True)}---\n"


def _config_name(teacher: str) -> str:
    return re.sub(r"[^A-Za-z0-9._-]+", "_", teacher)


def _opening(figures: DatasetFigures, summary: Mapping[str, Any], settings: CardSettings) -> str:
    state = summary.get("state")
    lines = [settings.description, ""] if settings.description else []
    lines.append(
        f"{figures.num_samples:,} verified reasoning traces ({figures.of().total:,} response tokens) of"
        f" {len(figures.teachers)} teacher{'' if len(figures.teachers) == 1 else 's'}. Every response was generated,"
        " checked by the verifier of its category, and asked again until it passed or its attempts were used up;"
        " only responses that passed are here. Made by reasonmill."
    )
    if state != "finished":
        lines += ["", f"> **The run that made this is {state or 'not finished'}: the dataset may still grow.**"]
    if figures.unreadable:
        lines += [
            "",
            "> **Shards that could not be read and are not counted:** " + _inline("; ".join(figures.unreadable)),
        ]
    return "\n".join(lines) + "\n"


def _contents(figures: DatasetFigures) -> str:
    header = ["category", *map(_inline, figures.teachers), "all"]
    rows = [
        [category]
        + [_cell(figures, teacher, category) for teacher in figures.teachers]
        + [f"{figures.of(category=category).num:,}"]
        for category in figures.categories
    ]
    rows.append(
        ["**all**"] + [_cell(figures, teacher, None) for teacher in figures.teachers] + [f"**{figures.num_samples:,}**"]
    )
    return "## Contents\n\nSamples, and mean response tokens:\n\n" + _table(header, rows)


def _cell(figures: DatasetFigures, teacher: str, category: str | None) -> str:
    counts = figures.of(teacher=teacher, category=category)
    return f"{counts.num:,} · {counts.total / counts.num:,.0f}" if counts.num else "–"


def _loading(figures: DatasetFigures) -> str:
    example = _config_name(figures.teachers[0]) if figures.teachers else "default"
    return (
        "## Use\n\n```python\nfrom datasets import load_dataset\n\n"
        'everything = load_dataset("path/to/this/folder", split="train")\n'
        f'one_teacher = load_dataset("path/to/this/folder", "{example}", split="train")\n```\n'
    )


def _columns() -> str:
    rows = [[f"`{name}`", _COLUMN_MEANINGS[name]] for name in SHARD_SCHEMA.names]
    return "## Columns\n\n" + _table(["column", "meaning"], rows)


def _verification(figures: DatasetFigures, recipe: Mapping[str, Any]) -> str:
    by_category: dict[str, Counter[str]] = {}
    for (category, verifier), count in sorted(figures.verifiers.items()):
        by_category.setdefault(category, Counter())[verifier] += count
    rows = [
        [category, ", ".join(f"{_code(verifier)} ({count:,})" for verifier, count in by_category[category].items())]
        for category in figures.categories
        if category in by_category
    ]
    attempts = _section(recipe, "attempts")
    text = "## How it was verified\n\n"
    if "threshold" in attempts:
        text += f"A response is kept when its score reaches {attempts['threshold']}"
        text += f", within {attempts['max_attempts']} attempts. " if "max_attempts" in attempts else ". "
    text += (
        "A check that could not be made (a killed worker, a missing sandbox) is never a score and never uses up an"
        " attempt. Code runs in a sandbox against its test cases.\n\n"
    )
    return text + _table(["category", "accepted by"], rows)


def _funnel(summary: Mapping[str, Any]) -> str:
    if not summary:
        return ""
    rows = [["questions read", _count(summary.get("queries_in"))]]
    rows += [[f"– removed: {_code(reason)}", _count(n)] for reason, n in _largest(summary.get("removed"))]
    rows += [
        ["questions kept", _count(summary.get("kept"))],
        ["question × teacher pairs", _count(summary.get("pairs"))],
    ]
    rows += [[f"– not answered: {_code(reason)}", _count(n)] for reason, n in _largest(summary.get("unanswered"))]
    rows += [["accepted", _count(summary.get("accepted"))]]
    rows += [[f"– accepted, withheld: {_code(reason)}", _count(n)] for reason, n in _largest(summary.get("withheld"))]
    rows += [["attempts made", _count(summary.get("attempts"))]]
    return (
        "## What was removed\n\n" + _table(["", "number"], rows) + "\n`rejects/removed.jsonl` names every removed"
        " question with its reason and the evidence.\n"
    )


def _recipe_section(summary: Mapping[str, Any], recipe: Mapping[str, Any]) -> str:
    if not recipe:
        return ""
    keys = ("name", "kind", "model", "temperature", "top_p", "top_k", "max_tokens")
    rows = [[_inline(_value(teacher.get(key))) for key in keys] for teacher in _items(recipe, "teachers")]
    table = _table(list(keys), rows)
    versions = summary.get("versions")
    used = ", ".join(f"{k} {v}" for k, v in versions.items()) if isinstance(versions, Mapping) else ""
    text = f"## Recipe\n\n{table}\n`recipe.resolved.yaml` has every value.\n"
    return text + (f"\nVersions: {_inline(used)}.\n" if used else "")


def _limits(figures: DatasetFigures, summary: Mapping[str, Any], recipe: Mapping[str, Any]) -> str:
    limits = [
        "What is verified is the **answer**. A right answer can follow from wrong reasoning.",
        "A verdict is as good as its reference: wrong gold answers and thin test suites let wrong responses pass.",
        "Asking until verified favours questions that the teachers can answer; the hardest ones are missing.",
    ]
    pairs, accepted = summary.get("pairs"), summary.get("accepted")
    if isinstance(pairs, int) and isinstance(accepted, int) and pairs > accepted:
        limits[2] += f" Here {pairs - accepted:,} of {pairs:,} pairs were not answered."
    against = _items(_section(recipe, "curate"), "against")
    if against:
        names = ", ".join(_value(item.get("path")) for item in against)
        limits.append(f"Decontamination was made against these sets and no others: {_inline(names)}.")
    else:
        limits.append("The questions were not decontaminated against any evaluation set, as far as this card knows.")
    if _has_toy_teacher(recipe):
        limits.append("A teacher is the embedded toy model or a script: this dataset shows the machinery, no more.")
    limits.append("Sources and teachers carry their own licences and terms; check them before you publish or train.")
    if figures.num_samples < 1000:
        limits.append(f"It is small: {figures.num_samples:,} samples.")
    return "## Limits\n\n" + "\n".join(f"- {limit}" for limit in limits) + "\n"


def _has_toy_teacher(recipe: Mapping[str, Any]) -> bool:
    """Whether a teacher of the recipe is the embedded one or a script."""
    teachers = _items(recipe, "teachers")
    return any(t.get("kind") == "scripted" or str(t.get("model")).startswith("embedded:") for t in teachers)


def _table(header: Sequence[str], rows: Iterable[Sequence[str]]) -> str:
    lines = [header, ["---"] * len(header), *rows]
    return "\n".join("| " + " | ".join(line) + " |" for line in lines) + "\n"


def _inline(text: str) -> str:
    """Text that cannot break out of a table cell, a paragraph or into HTML."""
    return re.sub(r"([\\`*_{}\[\]|#])", r"\\\1", " ".join(text.split())).replace("<", "&lt;")


def _code(text: str) -> str:
    """A code span that cannot break out of a table cell."""
    return "`" + " ".join(text.replace("`", "'").split()).replace("|", "\\|") + "`"


def _count(value: Any) -> str:
    return f"{value:,}" if isinstance(value, int | float) else "–"


def _largest(counts: Any) -> list[tuple[str, Any]]:
    if not isinstance(counts, Mapping):
        return []
    return sorted(((str(k), v) for k, v in counts.items() if v), key=lambda item: (-item[1], item[0]))


def _value(value: Any) -> str:
    """A value of the recipe; of a path on this machine only the name."""
    if value is None:
        return "–"
    text = str(value)
    return Path(text).name if text.startswith(("/", "./", "../", "inputs/")) else text


def _items(section: Mapping[str, Any], key: str) -> list[Mapping[str, Any]]:
    items = section.get(key)
    return [item for item in items if isinstance(item, Mapping)] if isinstance(items, list) else []


def _section(recipe: Mapping[str, Any], key: str) -> Mapping[str, Any]:
    section = recipe.get(key)
    return section if isinstance(section, Mapping) else {}


def _summary(run_dir: Path) -> Mapping[str, Any]:
    try:
        content = orjson.loads((run_dir / "summary.json").read_bytes())
    except (FileNotFoundError, orjson.JSONDecodeError):
        return {}
    return content if isinstance(content, dict) else {}


def _recipe(run_dir: Path) -> Mapping[str, Any]:
    try:
        content = yaml.safe_load((run_dir / "recipe.resolved.yaml").read_text(encoding="utf-8"))
    except (FileNotFoundError, UnicodeDecodeError, yaml.YAMLError):
        return {}
    return content if isinstance(content, dict) else {}
