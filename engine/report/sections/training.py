"""What the student saw and how its loss fell."""

from typing import Any

from reasonmill.engine.report import numbers
from reasonmill.engine.report.curve_charts import Curve, curves, smoothed
from reasonmill.engine.report.html import Child, Markup, card, grid, missing, section, table
from reasonmill.engine.report.run_figures import RunFigures


def training(run: RunFigures) -> Markup:
    """The section on packing and training."""
    packed = _packed(run)
    steps = run.files.steps
    if not steps:
        text = "No training step has been made: the recipe trains no student, or the run ended before the first row."
        return section("training", "Packing and training", grid(packed) if packed else None, missing(text))
    return section(
        "training",
        "Packing and training",
        grid(_loss(steps), _rate(steps)),
        grid(_speed(steps), _norm(steps)),
        grid(packed),
    )


def series(steps: list[dict[str, Any]], key: str) -> tuple[list[float], list[float]]:
    """Steps that have a number under the key, and those numbers."""
    pairs = [(float(s["step"]), float(s[key])) for s in steps if numbers.is_number(s.get(key))]
    return [x for x, _ in pairs], [y for _, y in pairs]


def _loss(steps: list[dict[str, Any]]) -> Markup | None:
    xs, ys = series(steps, "loss")
    if not xs:
        return None
    window = len(xs) // 40
    rows = [Curve("each step", "t0 faint" if window > 1 else "t0", xs, ys)]
    if window > 1:
        rows.append(Curve(f"mean of about {window}", "t0", xs, smoothed(ys, window)))
    epochs = [s.get("epoch") for s in steps if numbers.is_number(s.get("epoch"))]
    note = f"{numbers.fixed(ys[0])} at the first step, {numbers.fixed(ys[-1])} at the last"
    note += f"; {epochs[-1]:.2f} epochs." if epochs else "."
    return card("Loss", curves(rows, "loss of every step"), note=note)


def _rate(steps: list[dict[str, Any]]) -> Markup | None:
    xs, ys = series(steps, "learning_rate")
    if not xs:
        return None
    chart = curves([Curve("", "t1", xs, ys)], "learning rate", from_zero=True, write_y=lambda v: f"{v:.2g}")
    return card("Learning rate", chart, note=f"Peak {max(ys):.3g}, last {ys[-1]:.3g}.")


def _speed(steps: list[dict[str, Any]]) -> Markup | None:
    timed = [s for s in steps if all(numbers.is_number(s.get(k)) for k in ("num_tokens", "start_unix_s", "end_unix_s"))]
    waits = [s["data_wait_s"] if numbers.is_number(s.get("data_wait_s")) else 0.0 for s in timed]
    spent = [s["end_unix_s"] - s["start_unix_s"] for s in timed]
    points = [
        (float(s["step"]), s["num_tokens"] / (length - wait))
        for s, length, wait in zip(timed, spent, waits, strict=True)
        if length > wait
    ]
    if not points:
        return None
    note = f"Waiting left out: {numbers.count(sum(s['num_tokens'] for s in timed))} tokens in"
    note += f" {numbers.duration(sum(spent))}, of which {numbers.duration(sum(waits))}"
    note += f" ({numbers.share(sum(waits), sum(spent))}) were spent waiting for rows."
    xs, ys = [x for x, _ in points], [y for _, y in points]
    return card("Tokens per second", curves([Curve("", "t2", xs, ys)], "training speed", from_zero=True), note=note)


def _norm(steps: list[dict[str, Any]]) -> Markup | None:
    xs, ys = series(steps, "grad_norm")
    return card("Gradient norm", curves([Curve("", "t3", xs, ys)], "gradient norm", from_zero=True)) if xs else None


def _packed(run: RunFigures) -> Markup | None:
    if run.number("rows") is None and run.number("documents_packed") is None:
        return None
    rows: list[list[Child]] = [
        ["rows", numbers.count(run.number("rows"))],
        ["documents in them", numbers.count(run.number("documents_packed"))],
        ["share of positions that hold tokens", numbers.percent(run.number("fill"), 2)],
        ["documents left out because they are longer than a row", numbers.count(run.number("excluded_too_long"))],
    ]
    return card(
        "Packed rows", table(["", ""], rows), note="Nothing is cut: what does not fit a row is left out and named."
    )
