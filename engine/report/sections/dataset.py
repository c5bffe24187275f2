"""The analyses of arXiv 2505.14464 section 2.3 on the run's own dataset: shares, lengths, perplexities, examples."""

from typing import Any

from reasonmill.engine.quality.marker_words import WORDS
from reasonmill.engine.report import numbers
from reasonmill.engine.report.bar_charts import Series, columns, shares
from reasonmill.engine.report.curve_charts import boxes
from reasonmill.engine.report.html import Child, Markup, card, folded, grid, join, missing, section, table, tag
from reasonmill.engine.report.palette import category_classes, teacher_classes
from reasonmill.engine.report.paper_table import is_parallel, paper_table
from reasonmill.engine.report.run_figures import RunFigures
from reasonmill.engine.report.svg import NARROW
from reasonmill.engine.store.dataset_figures import DatasetFigures
from reasonmill.engine.store.lengths import LengthCounts, box_of

PAPER_BIN = 1024  # tokens of a bin, and ten of them before the overflow bin (arXiv 2505.14464 Fig. 3)
NUM_BINS = 10
_LONGEST_EXAMPLE = 1600  # characters of each part of an example
_MAX_SOURCES = 25


def dataset(run: RunFigures) -> Markup:
    """The section on the dataset."""
    figures = run.dataset
    if not figures.num_samples:
        return section(
            "dataset", "Dataset", missing("No shard of the dataset has been written, so there is nothing to analyse.")
        )
    return section(
        "dataset",
        "Dataset",
        _share_card(figures),
        _by_paper_category(figures),
        _table(figures),
        grid(_histogram(figures, None), _box_card(figures, None)),
        grid(_histogram(figures, "math"), _box_card(figures, "math")) if _math_apart(figures) else None,
        grid(_perplexity(figures), _markers(run), _verified_by(figures)),
        _sources(figures),
        _examples(run.samples),
        lead=f"{numbers.count(figures.num_samples)} traces, {numbers.count(figures.of().total)} response tokens.",
    )


def bin_width(longest: int) -> int:
    """1,024 tokens, or the power of two below it that spreads shorter texts over about ten bins."""
    width = PAPER_BIN
    while width > 8 and longest <= width * NUM_BINS // 2:
        width //= 2
    return width


def bin_labels(width: int) -> list[str]:
    """Upper ends of the bins, and the overflow bin."""
    ends = [width * (number + 1) for number in range(NUM_BINS)]
    written = [f"{end // 1024}k" if width == PAPER_BIN else str(end) for end in ends]
    return [*written, f">{written[-1]}"]


def _math_apart(figures: DatasetFigures) -> bool:
    return "math" in figures.categories and len(figures.categories) > 1


def _share_card(figures: DatasetFigures) -> Markup:
    rows: list[tuple[str, dict[str, float]]] = [
        ("instances", {c: figures.of(category=c).num for c in figures.categories}),
    ]
    rows += [
        (f"tokens, {teacher}", {c: figures.of(teacher=teacher, category=c).total for c in figures.categories})
        for teacher in figures.teachers
    ]
    chart = shares(rows, category_classes(figures.categories), "shares of categories")
    return card("Share of each category, by instances and by response tokens", chart, wide=True)


def _by_paper_category(figures: DatasetFigures) -> Markup:
    rows: list[list[Child]] = []
    cells = paper_table(figures)
    for name, of_teachers in cells.items():
        row: list[Child] = [name]
        for cell in of_teachers.values():
            row += [
                f"{numbers.count(cell.instances)} ({numbers.percent(cell.instance_share)})",
                f"{numbers.count(cell.tokens)} ({numbers.percent(cell.token_share)})",
                numbers.count(cell.mean_tokens),
            ]
        rows.append(row)
    header = ["category"]
    for teacher in figures.teachers:
        header += [f"{teacher}: traces", "tokens", "mean"]
    same = "The same number of each teacher in every category." if is_parallel(cells) else "Teachers differ in number."
    return card("Categories as the paper counts them", table(header, rows), note=same, wide=True)


def _table(figures: DatasetFigures) -> Markup:
    rows: list[list[Child]] = []
    for teacher in figures.teachers:
        for category in (*figures.categories, None):
            counts = figures.of(teacher=teacher, category=category)
            if counts.num:
                rows.append([teacher, category or tag("strong", "all"), *_length_cells(counts)])
    header = ["teacher", "category", "traces", "tokens", "mean", "median", "p95", "longest"]
    return folded("Counts and lengths of every teacher and category", table(header, rows, text_columns=2))


def _length_cells(counts: LengthCounts) -> list[str]:
    values = (counts.num, counts.total, counts.total / counts.num, counts.quantile(0.5), counts.quantile(0.95))
    return [numbers.count(value) for value in (*values, counts.maximum)]


def _histogram(figures: DatasetFigures, category: str | None) -> Markup:
    width = bin_width(round(figures.of(category=category).quantile(0.99)))
    classes = teacher_classes(figures.teachers)
    series = [
        Series(teacher, classes[teacher], figures.of(teacher=teacher, category=category).histogram(width, NUM_BINS))
        for teacher in figures.teachers
        if figures.of(teacher=teacher, category=category).num
    ]
    chart = columns(bin_labels(width), series, "histogram of response lengths", axis="response tokens, up to")
    return card(
        f"Response lengths, {category or 'all categories'}", chart, note=f"Bins of {numbers.count(width)} tokens."
    )


def _box_card(figures: DatasetFigures, category: str | None) -> Markup:
    classes = teacher_classes(figures.teachers)
    rows = [
        (teacher, classes[teacher], figures.of(teacher=teacher, category=category).box())
        for teacher in figures.teachers
        if figures.of(teacher=teacher, category=category).num
    ]
    note = "Box: quartiles. Whiskers: 1.5 interquartile ranges. Diamond: mean."
    chart = boxes(rows, "box plot of response lengths", unit="response tokens")
    return card(f"Response tokens by teacher, {category or 'all categories'}", chart, note=note)


def _perplexity(figures: DatasetFigures) -> Markup | None:
    if not figures.perplexities:
        return None
    classes = teacher_classes(figures.teachers)
    rows = [(t, classes[t], box_of(figures.perplexities[t])) for t in figures.teachers if t in figures.perplexities]
    chart = boxes(rows, "box plot of perplexities", unit="perplexity", width=NARROW, write=lambda v: f"{v:.2f}")
    return card("Perplexity by teacher", chart)


def _markers(run: RunFigures) -> Markup | None:
    if not run.markers:
        return None
    rows = [
        [teacher, *(f"{markers.per_trace[word]:.2f}" for word in WORDS), numbers.count(markers.num_traces)]
        for teacher, markers in run.markers.items()
    ]
    note = "Occurrences of each word in the reasoning of a trace, on average over the traces read."
    return card("Turns of thought", table(["teacher", *WORDS, "traces read"], rows), note=note)


def _verified_by(figures: DatasetFigures) -> Markup:
    rows: list[list[Child]] = []
    for category in figures.categories:
        whole = figures.of(category=category).num
        found = [(v, n) for (c, v), n in figures.verifiers.items() if c == category]
        checks = [
            tag("span", tag("code", verifier), f" {numbers.share(number, whole, 0)}", class_="check")
            for verifier, number in sorted(found, key=lambda item: (-item[1], item[0]))
        ]
        rows.append([category, join(checks), numbers.count(whole)])
    return card("Which check accepted them", table(["category", "verifier", "traces"], rows, text_columns=2))


def _sources(figures: DatasetFigures) -> Markup:
    rows = [
        [source or numbers.DASH, category, numbers.count(number), numbers.share(number, figures.num_samples)]
        for (category, source), number in figures.sources.most_common(_MAX_SOURCES)
    ]
    more = len(figures.sources) - len(rows)
    title = f"The {len(rows)} largest of {len(figures.sources)} sources" if more > 0 else f"Sources ({len(rows)})"
    return folded(title, table(["source", "category", "traces", "share"], rows, text_columns=2))


def _examples(samples: list[dict[str, Any]]) -> Markup | None:
    if not samples:
        return None
    return tag("div", tag("h3", "One trace of each category"), [_example(row) for row in samples])


def _example(row: dict[str, Any]) -> Markup:
    length = numbers.count(row["completion_tokens"])
    title = f"{row['category']} · {row['model_name']} · attempt {row['attempt']} · {length} tokens"
    parts: list[Child] = []
    for name, text in (
        ("question", row["prompt"]),
        ("reasoning", row["think_content"]),
        ("answer", row["answer_content"]),
        ("reference", row["ground_truth"]),
    ):
        if text:
            cut = text if len(text) <= _LONGEST_EXAMPLE else text[:_LONGEST_EXAMPLE] + f"… ({len(text):,} characters)"
            parts += [tag("h4", name), tag("pre", cut)]
    return folded(title, parts)
