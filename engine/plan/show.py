"""A plan as a table for people."""

from collections.abc import Iterator, Sequence

from rich.console import Console
from rich.table import Table

from reasonmill.engine.plan.actual import Compared
from reasonmill.engine.plan.make import Plan


def show_plan(plan: Plan, console: Console) -> None:
    """The stages, the whole, and the split."""
    table = Table(title=f"plan of {plan.run}: {plan.num_queries:,} queries", title_justify="left", box=None)
    for name, side in (("stage", "left"), ("time", "right"), ("GPUs", "right"), ("GPU-hours", "right")):
        table.add_column(name, justify=side, no_wrap=True)  # type: ignore[arg-type]
    for name in ("items", "tokens", "accepted", "full"):
        table.add_column(name, justify="right")
    for stage in plan.stages:
        accepted = stage.figures.get("accepted")
        full = stage.figures.get("share_of_full_batches")
        table.add_row(
            stage.name,
            duration(stage.seconds),
            str(stage.gpus or "-"),
            f"{stage.gpu_hours:,.2f}" if stage.gpus else "-",
            f"{stage.items:,}",
            f"{stage.tokens:,}" if stage.tokens else "-",
            "-" if accepted is None else f"{accepted:,.0f}",
            "-" if full is None else f"{100 * full:.0f} %",
        )
    console.print(table)
    for line in _lines(plan):
        console.print(line, highlight=False, soft_wrap=True, markup=False)


def show_comparison(compared: Sequence[Compared], console: Console) -> None:
    """Plan beside actual."""
    table = Table(title="plan against actual", title_justify="left", box=None)
    table.add_column("figure")
    for name in ("plan", "actual", "actual / plan"):
        table.add_column(name, justify="right")
    for one in compared:
        ratio = "-" if one.ratio is None else f"{one.ratio:.3f}"
        digits = 1 if one.unit.endswith("s") and one.unit != "tokens" else 0
        table.add_row(
            f"{one.name} {one.unit}".strip(), f"{one.planned:,.{digits}f}", f"{one.actual:,.{digits}f}", ratio
        )
    console.print(table)


def duration(seconds: float) -> str:
    """Seconds as people say them."""
    if seconds < 120.0:
        return f"{seconds:.1f} s"
    if seconds < 7200.0:
        return f"{seconds / 60:.1f} min"
    return f"{seconds / 3600:.1f} h" if seconds < 172_800.0 else f"{seconds / 86_400:.1f} days"


def _lines(plan: Plan) -> Iterator[str]:
    yield f"       wall time  {duration(plan.wall_s)}, of which asking and verifying {duration(plan.generate_s)}"
    yield f"       GPU-hours  {plan.gpu_hours:,.2f}"
    yield f"      bottleneck  {plan.bottleneck}"
    rates = ", ".join(f"{name} {source}" for name, source in plan.rates.items())
    yield f"           rates  {rates}; scheduler rehearsed on {plan.rehearsed_queries:,} queries"
    if not plan.gpus:
        yield "      best split  nothing to split: no teacher takes a GPU of ours"
    elif plan.split is None:
        yield f"      best split  {plan.gpus} GPUs are not enough for one replica of each teacher and one rank"
    else:
        units = ", ".join(
            f"{name} {number} x {plan.split.gpus_of_unit[name]}" for name, number in plan.split.units.items()
        )
        yield f"      best split  of {plan.gpus} GPUs: {units}; the slowest then takes {duration(plan.split.seconds)}"
    for warning in plan.warnings:
        yield f"         warning  {warning}"
