"""`reasonmill verify` as people see it: settings from the command line, progress while it runs, a table at the end."""

import argparse
import asyncio
import time
from dataclasses import replace
from pathlib import Path

from rich.console import Console

from reasonmill.engine.recipe_loader import apply_overrides, build
from reasonmill.engine.verify_audit import audit_file
from reasonmill.engine.verify_files import judge_file
from reasonmill.engine.verify_summary import Summary
from reasonmill.verify.settings import MAX_SLOTS, VerifySettings

WALL_PER_CPU = 4.0  # as the sandbox's own defaults: a program may wait for four times the CPU time that it may use

_EXAMPLE_CHARS = 200


def run(options: argparse.Namespace, console: Console) -> bool:
    """Judge a file; False where more rows were unreadable than may be."""
    settings = settings_of(options)
    if not 0.0 <= options.max_unreadable_share <= 1.0:
        raise ValueError(f"--max-unreadable-share: {options.max_unreadable_share} is outside [0, 1]")
    if options.audit is not None and options.audit < 1:
        raise ValueError(f"--audit: {options.audit} is not positive")
    messages = Console(stderr=True)
    began = time.monotonic()

    def show(summary: Summary) -> None:
        if messages.is_terminal:
            messages.print(_progress(summary, time.monotonic() - began), end="\r", highlight=False)

    try:
        summary = asyncio.run(
            judge_file(options.input, options.output, settings, resume=options.resume, on_progress=show)
        )
    except KeyboardInterrupt:
        messages.print("stopped: the same command with --resume goes on", highlight=False)
        raise
    _report(summary, console, time.monotonic() - began)
    if options.audit is not None:
        report = audit_path(options.output)
        for line in asyncio.run(audit_file(options.input, report, settings, sample=options.audit)):
            console.print(line, highlight=False, markup=False, soft_wrap=True)
    limit = options.max_unreadable_share * summary.rows
    if summary.unreadable > limit:
        messages.print(
            f"error: {summary.unreadable:,} of {summary.rows:,} rows are unreadable, more than the share "
            f"{options.max_unreadable_share:g} that may be",
            highlight=False,
            markup=False,
            soft_wrap=True,
        )
        return False
    return True


def audit_path(output: str) -> Path:
    """Where the audit of a verification is written."""
    return Path(f"{output}.audit.json")


def settings_of(options: argparse.Namespace) -> VerifySettings:
    """Settings of the command line: --set, then --workers and --deadline-s. Raises ValueError that names the option."""
    settings = build(VerifySettings, apply_overrides({}, options.overrides))
    if options.workers is not None:
        if not 1 <= options.workers <= MAX_SLOTS:
            raise ValueError(f"--workers: {options.workers} is outside [1, {MAX_SLOTS}]")
        sandbox = replace(settings.sandbox, slots=options.workers)
        settings = replace(
            settings,
            math_workers=options.workers,
            sandbox=sandbox,
            instructions=replace(settings.instructions, workers=options.workers),
            puzzles=replace(settings.puzzles, workers=options.workers),
        )
    if options.deadline_s is not None:
        limit_s = options.deadline_s
        if not 0.0 < limit_s <= 900.0:
            raise ValueError(f"--deadline-s: {limit_s} is outside (0, 900]")
        sandbox = replace(settings.sandbox, cpu_limit_s=limit_s, wall_limit_s=WALL_PER_CPU * limit_s)
        settings = replace(
            settings,
            math_limit_s=limit_s,
            sandbox=sandbox,
            instructions=replace(settings.instructions, limit_s=limit_s),
            puzzles=replace(settings.puzzles, limit_s=limit_s),
        )
    return settings


def _progress(summary: Summary, elapsed_s: float) -> str:
    counts = summary.outcomes()
    rate = (summary.rows - summary.resumed) / max(elapsed_s, 1e-9)
    return (
        f"{summary.rows:,} rows, {counts['pass']:,} pass, {counts['fail']:,} fail, {counts['not_run']:,} not run, "
        f"{rate:,.0f} rows/s   "
    )


def _report(summary: Summary, console: Console, elapsed_s: float) -> None:
    for name, value in summary.outcomes().items():
        console.print(f"{name:>24}  {value}", highlight=False)
    if summary.rows:
        console.print(summary.table(), highlight=False)
    for (category, reason), detail in sorted(summary.examples.items()):
        line = f"{category} {reason}, for example: {' '.join(detail.split())[:_EXAMPLE_CHARS]}"
        console.print(line, highlight=False, markup=False, soft_wrap=True)
    taken = f", {summary.resumed:,} of them judged before" if summary.resumed else ""
    console.print(
        f"{summary.rows:,} rows{taken} in {elapsed_s:.1f} s; the slowest check took {summary.slowest_s:.2f} s",
        highlight=False,
    )
