"""`reasonmill plan`."""

import argparse
import sys
from dataclasses import replace
from pathlib import Path

import orjson
from rich.console import Console

from reasonmill.engine.flow.inputs import Inputs, resolve_recipe
from reasonmill.engine.plan.actual import compare
from reasonmill.engine.plan.make import make_plan
from reasonmill.engine.plan.settings import PlanSettings
from reasonmill.engine.plan.show import show_comparison, show_plan
from reasonmill.engine.recipe import load_recipe
from reasonmill.engine.recipe_loader import apply_overrides, build


def main(options: argparse.Namespace, console: Console) -> int:
    """Exit status 0; ValueError for what the user can mend."""
    limit = [f"queries.limit={options.limit}"] if options.limit is not None else []
    recipe = load_recipe(options.recipe, [*options.overrides, *limit])
    settings = build(PlanSettings, apply_overrides({}, options.assumptions))
    if options.gpus is not None:
        settings = replace(settings, gpus=options.gpus)
    for run in (options.rates, options.run):
        if run is not None and not Path(run).is_dir():
            raise ValueError(f"run directory {run!r} does not exist")
    resolved = resolve_recipe(recipe, Inputs(queries=recipe.queries.paths))
    plan = make_plan(resolved, settings, rates=Path(options.rates) if options.rates else None)
    compared = compare(plan, Path(options.run)) if options.run else None
    if options.json:
        told = plan.as_json()
        if compared is not None:
            told["compared"] = [
                {"name": one.name, "unit": one.unit, "planned": one.planned, "actual": one.actual, "ratio": one.ratio}
                for one in compared
            ]
        sys.stdout.buffer.write(orjson.dumps(told, option=orjson.OPT_INDENT_2 | orjson.OPT_APPEND_NEWLINE))
        return 0
    show_plan(plan, console)
    if compared is not None:
        show_comparison(compared, console)
    return 0
