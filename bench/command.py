"""`reasonmill bench`: runs the benches of the named stages, shows each figure beside its target, writes them down, and
fails when a gated figure is worse than in a baseline.
"""

import argparse
import importlib
import pkgutil
from collections.abc import Sequence
from pathlib import Path

from rich.console import Console

import reasonmill.bench
from reasonmill.bench.figure import Bench, Figure
from reasonmill.bench.record import read_values, write_record

_PREFIX = "bench_"


def stages() -> list[str]:
    """Stages that have a bench: a module bench_STAGE in this folder."""
    found = pkgutil.iter_modules(reasonmill.bench.__path__)
    return sorted(module.name.removeprefix(_PREFIX) for module in found if module.name.startswith(_PREFIX))


def run(options: argparse.Namespace, console: Console) -> int:
    """Exit status: 1 where a gated figure regressed. Raises ValueError for an unknown stage or a bad baseline."""
    known = stages()
    wanted = options.stages or known
    for stage in wanted:
        if stage not in known:
            raise ValueError(f"stage: {stage!r} has no bench; there are {', '.join(known)}")
    baseline = read_values(Path(options.compare)) if options.compare else {}
    measured: dict[str, list[Figure]] = {}
    for stage in wanted:
        module = importlib.import_module(f"reasonmill.bench.{_PREFIX}{stage}")
        bench: Bench = module
        console.print(
            f"[bold]{stage}[/bold]  {(module.__doc__ or '').splitlines()[0]}", highlight=False, soft_wrap=True
        )
        measured[stage] = []
        for figure in bench.measure(options.scale):
            measured[stage].append(figure)
            line = _line(figure, baseline.get(stage, {}).get(figure.name))
            console.print(line, highlight=False, markup=False, soft_wrap=True)
            if options.output:  # after every figure: the largest scales run for an hour and may be cut short
                write_record(Path(options.output), options.scale, measured)
    worse = regressions(measured, baseline)
    for line in worse:
        console.print(line, style="red", highlight=False, markup=False, soft_wrap=True)
    return 1 if worse else 0


def regressions(measured: dict[str, list[Figure]], baseline: dict[str, dict[str, float]]) -> Sequence[str]:
    """One line for each gated figure that is worse than its baseline by more than its tolerance."""
    return [
        f"regressed: {stage}.{figure.name} was {baseline[stage][figure.name]:.4g}, is {figure.value:.4g} {figure.unit}"
        for stage, figures in measured.items()
        for figure in figures
        if figure.name in baseline.get(stage, {}) and figure.regressed(baseline[stage][figure.name])
    ]


def _line(figure: Figure, before: float | None) -> str:
    target = ""
    if figure.target is not None:
        sign = "≥" if figure.better == "higher" else "≤"
        target = f"  target {sign} {figure.target:g} {'met' if figure.met else 'MISSED'}"
    was = "" if before is None else f"  baseline {before:.4g}"
    return f"  {figure.name:<44} {figure.value:>12.5g} {figure.unit:<12}{target}{was}"
