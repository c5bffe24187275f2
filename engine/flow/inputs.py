"""Names in a recipe that stand for something on this machine: inputs that a generator wrote into the run's folder
(`inputs/NAME`), the embedded teacher (`embedded:tiny_teacher`) and models that a package ships (`package:smollm2`).
"""

from dataclasses import dataclass, replace
from pathlib import Path

from reasonmill.engine.evaluate.questions import read_questions
from reasonmill.engine.recipe import QueriesSettings, Recipe
from reasonmill.engine.teachers.engine import check_model

PREFIX = "inputs/"
EMBEDDED_TEACHER = "embedded:tiny_teacher"
SMOLLM2 = "package:smollm2"


@dataclass(frozen=True, kw_only=True, slots=True)
class Inputs:
    """Where the run's inputs lie."""

    queries: tuple[str, ...]
    generated: Path | None = None  # folder of the generator's files; None: there is no generator

    def path(self, name: str) -> str:
        """`name`, or the generated file that it stands for."""
        if self.generated is None or not name.startswith(PREFIX):
            return name
        return str(self.generated / name.removeprefix(PREFIX))


def prepare_inputs(settings: QueriesSettings, folder: Path, seed: int) -> Inputs:
    """Write the generated inputs unless they are there; raises FileNotFoundError for a missing file of the recipe."""
    if settings.generator is None:
        for path in settings.paths:
            if not Path(path).is_file():
                raise FileNotFoundError(f"queries.paths: {path!r} does not exist or is not a file")
        return Inputs(queries=settings.paths)
    written = folder / "queries.jsonl"
    done = folder / "complete"
    if not done.exists():
        folder.mkdir(exist_ok=True)
        if settings.generator == "quickstart":
            from reasonmill.engine.embedded.quickstart import write_inputs

            write_inputs(folder, num_queries=settings.num_queries, seed=seed)
        elif settings.generator == "simulated":
            from reasonmill.engine.simulation.questions import write_simulated_queries

            categories = (settings.category,) if settings.category else ()
            write_simulated_queries(written, settings.num_queries, seed=seed, categories=categories)
        else:
            from reasonmill.engine.embedded.reasoning_gym_queries import write_reasoning_gym_inputs

            write_reasoning_gym_inputs(folder, num_queries=settings.num_queries, seed=seed)
        done.touch()
    return Inputs(queries=(str(written),), generated=folder)


def resolve_model(name: str) -> str:
    """Folder of a model; a package's model is exported on first use. Raises ValueError where there is none."""
    if name == EMBEDDED_TEACHER:
        from reasonmill.engine.embedded import TINY_TEACHER

        return str(TINY_TEACHER)
    if name == SMOLLM2:
        from reasonmill.engine.embedded.smollm2 import exported_folder

        return str(exported_folder())
    return name


def resolve_recipe(recipe: Recipe, inputs: Inputs) -> Recipe:
    """The recipe with every such name replaced by a path."""
    teachers = tuple(
        replace(
            teacher,
            model=resolve_model(teacher.model) if teacher.model else teacher.model,
            script=inputs.path(teacher.script) if teacher.script else teacher.script,
        )
        for teacher in recipe.teachers
    )
    against = tuple(replace(item, path=inputs.path(item.path)) for item in recipe.curate.against)
    pack = recipe.pack and replace(recipe.pack, tokenizer=resolve_model(recipe.pack.tokenizer))
    evaluate = recipe.evaluate and replace(
        recipe.evaluate, questions=tuple(inputs.path(path) for path in recipe.evaluate.questions)
    )
    train = recipe.train
    if train is not None and isinstance(train.model, str):
        train = replace(train, model=resolve_model(train.model))
    return replace(
        recipe,
        teachers=teachers,
        curate=replace(recipe.curate, against=against),
        pack=pack,
        train=train,
        evaluate=evaluate,
    )


def check_inputs(recipe: Recipe) -> None:
    """Look now at what a resolved recipe needs hours later. Raises ValueError or FileNotFoundError that names it."""
    for item in recipe.curate.against:
        if not Path(item.path).is_file():
            raise FileNotFoundError(f"curate.against: {item.path!r} does not exist or is not a file")
    if recipe.evaluate is not None:
        read_questions(recipe.evaluate.questions, limit=recipe.evaluate.limit)
    if recipe.train is not None and isinstance(recipe.train.model, str):
        try:
            check_model(str(Path(recipe.train.model).absolute()))
        except ValueError as error:
            raise ValueError(f"train.{error}") from None
