"""What stands behind `reasonmill evaluate`: from the command line, a preset and a recipe to models and benchmarks."""

import argparse
import asyncio
import dataclasses
from collections.abc import Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from rich.console import Console

from reasonmill.engine.evaluate.benchmark import Benchmark
from reasonmill.engine.evaluate.files import evaluate_to
from reasonmill.engine.evaluate.identity import asked_of
from reasonmill.engine.evaluate.models import Model, as_evaluated, folder_model, served_model
from reasonmill.engine.evaluate.presets import PRESETS
from reasonmill.engine.evaluate.questions import read_benchmarks
from reasonmill.engine.evaluate.result import EvaluationResult
from reasonmill.engine.evaluate.settings import EvaluateSettings
from reasonmill.engine.evaluate.tables import column, markdown
from reasonmill.engine.flow.inputs import resolve_model
from reasonmill.engine.recipe import Recipe, RunSettings
from reasonmill.engine.recipe_loader import apply_overrides, as_plain, build, read_yaml
from reasonmill.engine.store.file_names import distinct_names
from reasonmill.engine.teachers.settings import TeacherSettings
from reasonmill.verify.settings import VerifySettings


@dataclass(frozen=True, kw_only=True)
class EvaluationRecipe:
    """The sections of a recipe that an evaluation reads; they may stand alone."""

    run: RunSettings = field(default_factory=RunSettings)
    teachers: tuple[TeacherSettings, ...] = ()
    verify: VerifySettings = field(default_factory=VerifySettings)
    evaluate: EvaluateSettings = field(default_factory=EvaluateSettings)


def run(options: argparse.Namespace, console: Console) -> None:
    """Evaluate, write and print. Raises ValueError for what the user can mend, as `evaluate_to` else."""
    recipe = read_recipe(options)
    settings = recipe.evaluate
    benchmarks = read_benchmarks(options.questions or settings.questions, settings)
    models = _models(options.model, recipe)
    output = _output(options, [str(path) for path in options.questions])
    seed = recipe.run.seed if options.seed is None else options.seed
    if options.dry_run:
        _show(console, models, benchmarks, settings, seed)
        return
    scored = asyncio.run(
        evaluate_to(output, models, benchmarks, settings, verify=recipe.verify, seed=seed, fresh=not options.resume)
    )
    results = [result for one in scored for result in one.results]
    for result in results:
        console.print(_sentence(result, alone=len(benchmarks) == 1), highlight=False, markup=False, soft_wrap=True)
    if len(results) > 1:
        changes = [change for one in scored for change in one.changes]
        console.print("\n" + markdown(results, changes), highlight=False, markup=False, soft_wrap=True)


def read_recipe(options: argparse.Namespace) -> EvaluationRecipe:
    """The preset, the recipe over it, the options over both. Raises ValueError naming key and value."""
    content: dict[str, Any] = {}
    if options.recipe is not None and "=" in options.recipe and not Path(options.recipe).exists():
        options.overrides = [options.recipe, *options.overrides]  # an override where the recipe would be
        options.recipe = None
    if options.recipe is not None:
        content = apply_overrides(read_yaml(options.recipe), options.overrides)
        own = {one.name for one in dataclasses.fields(EvaluationRecipe)}
        others = {one.name for one in dataclasses.fields(Recipe)} - own
        content = {key: value for key, value in content.items() if key not in others}
    elif options.overrides:
        raise ValueError(f"{options.overrides[0]!r}: there is no recipe to override; --set takes key=value")
    section = content.get("evaluate") or {}
    if not isinstance(section, dict):
        raise ValueError(f"evaluate: {section!r} is not a section with keys")
    if options.preset is not None:
        section = {**PRESETS[options.preset], **section}
    given: dict[str, Any] = {"limit": options.limit, "rounds": options.rounds, "api_key_env": options.api_key_env}
    if options.samples is not None:
        given |= {"samples_per_question": options.samples, "samples": {}}
    if options.base_url:
        given["base_url"] = options.base_url
    section = {**section, **{key: value for key, value in given.items() if value is not None}}
    content["evaluate"] = apply_overrides(section, options.settings)
    return build(EvaluationRecipe, content)


def _models(given: Sequence[str], recipe: EvaluationRecipe) -> list[Model]:
    settings = recipe.evaluate
    if settings.base_url:
        models = [served_model(name, settings) for name in given or (None,)]
    elif given:
        split = [_name_and_folder(text) for text in given]
        folders = [resolve_model(folder) for _, folder in split]
        names = [name or own for (name, _), own in zip(split, distinct_names(folders), strict=True)]
        models = [folder_model(name, folder, settings) for name, folder in zip(names, folders, strict=True)]
    else:
        models = [_teacher(one, settings) for one in recipe.teachers]
    if not models:
        raise ValueError("--model is missing: model folders, names that --base-url serves, or a recipe with teachers")
    names = [model.name for model in models]
    for name in names:
        if names.count(name) > 1:
            raise ValueError(f"--model: two are named {name!r}; NAME=FOLDER gives one another name")
    return models


def _teacher(teacher: TeacherSettings, settings: EvaluateSettings) -> Model:
    if teacher.model is not None and teacher.kind == "vllm":
        teacher = dataclasses.replace(teacher, model=resolve_model(teacher.model))
    return Model(name=teacher.name, teacher=as_evaluated(teacher, settings), role="teacher")


def _name_and_folder(text: str) -> tuple[str | None, str]:
    name, sign, folder = text.partition("=")
    return (name, folder) if sign and name and not Path(text).exists() else (None, text)


def _output(options: argparse.Namespace, questions: Sequence[str]) -> Path:
    """Where the results go. Raises ValueError where they cannot, or would replace what is read."""
    output = Path(options.output)
    if output.is_dir():
        raise ValueError(f"--output {options.output!r} is a folder, expected the name of a file")
    if output.suffix == ".md":
        raise ValueError(f"--output {options.output!r}: the tables take that name, expected evaluation.json, say")
    read = {Path(text).resolve() for text in questions} | {Path(text.partition("=")[2]).resolve() for text in questions}
    for path in (output, output.with_suffix(".md")):
        if path.resolve() in read:
            raise ValueError(f"{str(path)!r} is an input and would be overwritten: choose another output")
    return output


def _show(
    console: Console, models: Sequence[Model], benchmarks: Sequence[Benchmark], settings: EvaluateSettings, seed: int
) -> None:
    import yaml

    asked = sum(len(one.questions) * one.samples_per_question for one in benchmarks) * settings.rounds
    value = {
        "models": {model.name: asked_of(model.teacher, seed=seed) for model in models},
        "benchmarks": {
            one.name: {"questions": len(one.questions), "samples_per_question": one.samples_per_question}
            for one in benchmarks
        },
        "answers_of_each_model": asked,
        "evaluate": as_plain(settings),
    }
    text = yaml.safe_dump(value, sort_keys=False, allow_unicode=True)
    console.print(text, highlight=False, markup=False, soft_wrap=True)


def _sentence(result: EvaluationResult, *, alone: bool) -> str:
    where = column(result) if alone else f"{column(result)} on {result.benchmark}"
    if result.pass_at_1 is None or result.interval_95 is None:
        return f"{where}: pass@1 could not be checked"
    low, high = result.interval_95
    return (
        f"{where}: pass@1 {100 * result.pass_at_1:.1f} % (95 % interval {100 * low:.1f} to {100 * high:.1f}),"
        f" {result.mean_completion_tokens:,.1f} tokens an answer, {100 * result.stop_ratio:.1f} % ended by themselves"
    )
