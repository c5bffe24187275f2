"""`reasonmill plan`."""

import argparse
import sqlite3
import sys
from dataclasses import replace
from pathlib import Path

import orjson
from rich.console import Console

from reasonmill.engine.faults import RunFailed, first_failure
from reasonmill.engine.flow.inputs import Inputs, resolve_recipe
from reasonmill.engine.plan.actual import compare
from reasonmill.engine.plan.make import make_plan
from reasonmill.engine.plan.settings import PlanSettings
from reasonmill.engine.plan.show import show_comparison, show_plan
from reasonmill.engine.recipe import load_recipe
from reasonmill.engine.recipe_loader import apply_overrides, build

FILE_WIDTH = 120  # characters of a line where no terminal says how many it has


def main(options: argparse.Namespace, console: Console) -> int:
    """Exit status 0; ValueError for what the user can mend."""
    limit = [f"queries.limit={options.limit}"] if options.limit is not None else []
    recipe = load_recipe(options.recipe, [*options.overrides, *limit])
    settings = build(PlanSettings, apply_overrides({}, options.assumptions))
    if options.gpus is not None:
        settings = replace(settings, gpus=options.gpus)
    rates, run = _run_of("--rates", options.rates), _run_of("--run", options.run)
    resolved = resolve_recipe(recipe, Inputs(queries=recipe.queries.paths))
    try:
        plan = make_plan(resolved, settings, rates=rates)
        compared = compare(plan, run) if run is not None else None
    except sqlite3.Error as error:
        read = " or ".join(repr(str(path)) for path in (rates, run) if path is not None)
        raise RunFailed(f"the journal of {read} cannot be read: {error}") from error
    except BaseExceptionGroup as group:  # what failed in the rehearsal
        raise first_failure(group) from None
    if options.json:
        told = plan.as_json()
        if compared is not None:
            told["compared"] = [
                {"name": one.name, "unit": one.unit, "planned": one.planned, "actual": one.actual, "ratio": one.ratio}
                for one in compared
            ]
        sys.stdout.buffer.write(orjson.dumps(told, option=orjson.OPT_INDENT_2 | orjson.OPT_APPEND_NEWLINE))
        return 0
    if not console.is_terminal:
        console.width = max(console.width, FILE_WIDTH)
    show_plan(plan, console)
    if compared is not None:
        show_comparison(compared, console)
    return 0


def _run_of(option: str, folder: str | None) -> Path | None:
    if folder is None:
        return None
    if not (Path(folder) / "journal.sqlite").is_file():
        raise ValueError(f"{option}: {folder!r} is no folder of a run: it has no journal")
    return Path(folder)
