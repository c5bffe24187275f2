"""The top of the page: what the run was, its figures in seven tiles, one sentence, and what is missing."""

from reasonmill.engine.report import numbers
from reasonmill.engine.report.html import Child, Markup, section, tag
from reasonmill.engine.report.palette import stage_title
from reasonmill.engine.report.run_figures import RunFigures

_STATES = {
    "finished": ("finished", "good"),
    "running": ("still running", "busy"),
    "stopped": ("stopped early", "warn"),
    "failed": ("failed", "bad"),
    "unknown": ("no summary", "warn"),
}


def header(run: RunFigures) -> Markup:
    """Name, state, and when, how long and on what it ran."""
    word, class_ = _STATES.get(run.files.state, (run.files.state, "warn"))
    summary = run.files.summary
    parts = [
        numbers.moment(summary.get("started_unix_s")) if summary.get("started_unix_s") else None,
        numbers.duration(run.files.wall_s) if run.files.wall_s else None,
        f"seed {summary['seed']}" if "seed" in summary else None,
        f"{len(run.dataset.teachers)} teacher{'s' * (len(run.dataset.teachers) != 1)}"
        if run.dataset.teachers
        else None,
        _hardware(summary.get("hardware")),
    ]
    return tag(
        "header",
        tag("p", "reasonmill · run report", class_="brand"),
        tag("h1", run.files.name, " ", tag("span", word, class_=f"state {class_}")),
        tag("p", " · ".join(part for part in parts if part), class_="facts"),
    )


def overview(run: RunFigures) -> Markup:
    """Tiles, the run in one sentence, what is missing."""
    return section("overview", "Overview", tag("div", _tiles(run), class_="tiles"), _story(run), _missing(run))


def _tiles(run: RunFigures) -> list[Markup]:
    accepted, pairs = run.number("accepted"), run.number("pairs")
    before, after = _pass_at_1(run)
    rate = run.number("goodput_tokens_per_s")
    whole_rate = run.number("goodput_of_run_tokens_per_s")
    over_all = f", {numbers.short(whole_rate)} over the whole run" if whole_rate is not None else ""
    accepted_tokens, generated = run.number("accepted_tokens"), run.number("generated_tokens")
    gain = (
        f"{100 * (after - before):+.1f} points"
        if before is not None and after is not None
        else "no model was evaluated"
    )
    queries_in, kept = run.number("queries_in"), run.number("kept")
    fill, documents = numbers.percent(run.number("fill"), 2), numbers.count(run.number("documents_packed"))
    return [
        _tile("questions in", numbers.count(queries_in), f"{numbers.count(kept)} kept by curation"),
        _tile(
            "accepted traces",
            numbers.count(accepted),
            f"{numbers.share(accepted, pairs)} of {numbers.count(pairs)} asked",
        ),
        _tile(
            "goodput",
            numbers.short(rate),
            f"accepted tokens/s while generating{over_all};"
            f" {numbers.share(accepted_tokens, generated)} of all generated",
            unit="tok/s" if rate is not None else "",
        ),
        _tile(
            "student pass@1",
            numbers.percent(after),
            f"{gain}, from {numbers.percent(before)}" if before is not None else gain,
            strong=True,
        ),
        _tile(
            "overlap",
            numbers.fixed(run.number("overlap_ratio"), 2),
            "stages at work at once: generation, verification, training",
            unit="×" if run.number("overlap_ratio") is not None else "",
        ),
        _tile("packed rows", numbers.count(run.number("rows")), f"{fill} filled by {documents} traces"),
        _tile(
            "training",
            numbers.count(run.number("steps")),
            f"loss {numbers.fixed(run.number('loss_first'))} → {numbers.fixed(run.number('loss_last'))}",
            unit="steps" if run.number("steps") is not None else "",
        ),
        _tile("wall time", numbers.duration(run.files.wall_s), _pace(run)),
    ]


def _tile(name: str, value: str, note: str, *, unit: str = "", strong: bool = False) -> Markup:
    note = "not known yet" if numbers.DASH in note else note
    figure = tag("strong", value, tag("small", " ", unit) if unit else None)
    return tag("div", tag("span", name), figure, tag("em", note), class_="tile key" if strong else "tile")


def _pace(run: RunFigures) -> str:
    bottleneck = run.fact("bottleneck")
    return (
        f"{stage_title(bottleneck)} set the pace"
        if isinstance(bottleneck, str) and bottleneck
        else "bottleneck not known"
    )


def _pass_at_1(run: RunFigures) -> tuple[float | None, float | None]:
    """pass@1 of the student before and after, from the evaluation or else the summary."""
    found: dict[str, float | None] = {"student_before": None, "student_after": None}
    summary = run.files.summary.get("pass_at_1")
    for key in found:
        value = summary.get(key) if isinstance(summary, dict) else None
        for result in run.files.evaluations:
            if result.get("role") == key:
                value = result.get("pass_at_1")
        found[key] = value if numbers.is_number(value) else None
    return found["student_before"], found["student_after"]


def _story(run: RunFigures) -> Markup | None:
    queries_in, kept, pairs, accepted, attempts = (
        run.number(key) for key in ("queries_in", "kept", "pairs", "accepted", "attempts")
    )
    if queries_in is None or pairs is None or accepted is None:
        return None
    text = f"Of {numbers.count(queries_in)} questions, {numbers.count(kept)} survived curation and decontamination. "
    text += f"They made {numbers.count(pairs)} pairs of question and teacher; {numbers.count(accepted)} of these were"
    text += f" answered with a verified trace, in {numbers.count(attempts)} attempts"
    if accepted and attempts:
        text += f" ({attempts / accepted:.2f} for each accepted trace)"
    return tag("p", text + ".", class_="lead")


def _missing(run: RunFigures) -> Markup | None:
    if not run.missing:
        return None
    items: list[Child] = [tag("li", sentence) for sentence in run.missing]
    return tag("div", tag("h3", "What is missing from this page"), tag("ul", items), class_="missing")


def _hardware(hardware: object) -> str | None:
    if not isinstance(hardware, dict) or not hardware:
        return None
    gpus = hardware.get("gpus")
    if gpus:
        return f"{len(gpus)} GPU{'s' * (len(gpus) != 1)}" if isinstance(gpus, list) else str(gpus)
    cores = hardware.get("cores") or hardware.get("cpu_cores") or hardware.get("cpu_count")
    return f"{cores} CPU cores, no GPU" if cores else None
