"""The stages around generation, and the whole: seconds, GPU-hours, tokens, and the stage that sets the pace."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path

from reasonmill.engine.plan.generation import GenerationPlan
from reasonmill.engine.plan.settings import PlanSettings
from reasonmill.engine.recipe import Recipe
from reasonmill.engine.simulation.settings import SimulationSettings
from reasonmill.engine.simulation.speed import speed
from reasonmill.engine.teachers.settings import TeacherSettings
from reasonmill.engine.train.dimensions import dimensions_of


@dataclass(frozen=True, kw_only=True)
class StagePlan:
    """One stage: its time if nothing else held it up, on `gpus` GPUs."""

    name: str
    seconds: float
    gpus: int = 0
    items: int = 0
    tokens: int = 0
    figures: Mapping[str, float] = field(default_factory=dict)

    @property
    def gpu_hours(self) -> float:
        """GPUs for as long as the stage takes."""
        return self.gpus * self.seconds / 3600.0


def teacher_gpus(settings: TeacherSettings, world: SimulationSettings, plan: PlanSettings) -> tuple[int, int]:
    """(replicas, GPUs of one) of a teacher; a script needs none."""
    if settings.kind == "scripted":
        return 1, 0
    if settings.name in plan.gpus_of:
        return world.replicas, plan.gpus_of[settings.name]
    own = settings.tensor_parallel_size
    return world.replicas, own if own > 1 else plan.replica_gpus


def curate_stage(num_read: int, plan: PlanSettings) -> StagePlan:
    """Filters, deduplication and decontamination."""
    return StagePlan(name="curate", seconds=num_read / plan.curate_queries_per_s, items=num_read)


def generate_stages(
    generation: GenerationPlan, worlds: Mapping[str, SimulationSettings], recipe: Recipe, plan: PlanSettings
) -> list[StagePlan]:
    """One for each teacher."""
    stages = []
    settings = {one.name: one for one in recipe.teachers}
    for teacher in generation.teachers:
        replicas, each = teacher_gpus(settings[teacher.name], worlds[teacher.name], plan)
        figures = teacher.figures
        full = teacher.work_s / (replicas * worlds[teacher.name].speed_up)
        stages.append(
            StagePlan(
                name=f"generate {teacher.name}",
                seconds=figures.seconds,
                gpus=replicas * each,
                items=figures.attempts,
                tokens=figures.generated_tokens,
                figures={
                    "pairs": figures.pairs,
                    "accepted": figures.accepted,
                    "accepted_tokens": figures.accepted_tokens,
                    "replicas": replicas,
                    "share_of_full_batches": full / figures.seconds if figures.seconds else 0.0,
                },
            )
        )
    return stages


def verify_stage(generation: GenerationPlan, recipe: Recipe) -> StagePlan:
    """Programs in the sandbox slots, the rest in the workers; the busier of both."""
    programs = generation.check_s.get("code", 0.0)
    others = sum(generation.check_s.values()) - programs
    seconds = max(programs / recipe.verify.sandbox.num_slots, others / max(1, recipe.verify.num_math_workers))
    return StagePlan(name="verify", seconds=seconds, items=generation.checks, figures={"core_s": programs + others})


def pack_stage(generation: GenerationPlan, recipe: Recipe, plan: PlanSettings) -> StagePlan | None:
    """Accepted answers and their prompts."""
    if recipe.pack is None:
        return None
    chosen = [
        one.figures for one in generation.teachers if not recipe.pack.teachers or one.name in recipe.pack.teachers
    ]
    samples = sum(one.accepted for one in chosen)
    tokens = round(sum(one.accepted_tokens for one in chosen) + plan.prompt_tokens * samples)
    return StagePlan(name="pack", seconds=tokens / plan.pack_tokens_per_s, items=samples, tokens=tokens)


def train_stage(packed: StagePlan | None, recipe: Recipe, plan: PlanSettings) -> StagePlan | None:
    """6 N D at the model FLOP utilisation, or the tokens a second that were measured."""
    if recipe.train is None or recipe.pack is None or packed is None:
        return None
    step_tokens = recipe.train.rows_per_step * recipe.pack.max_length
    tokens = packed.tokens * recipe.train.num_train_epochs
    if recipe.train.max_steps is not None:
        tokens = float(recipe.train.max_steps * step_tokens)
    dimensions = dimensions_of(recipe.train.model)
    parameters = plan.student_parameters if dimensions is None else float(dimensions.num_parameters)
    rate = plan.train_tokens_per_s
    if rate is None:
        rate = recipe.train.num_ranks * plan.gpu_flops * plan.mfu / (6.0 * parameters)
    return StagePlan(
        name="train",
        seconds=tokens / rate,
        gpus=recipe.train.num_ranks,
        items=round(tokens / step_tokens),
        tokens=round(tokens),
        figures={"parameters": parameters, "tokens_per_s": rate},
    )


def evaluate_stage(recipe: Recipe, plan: PlanSettings) -> StagePlan | None:
    """The student before and after and every vLLM teacher, on one engine at a time."""
    if recipe.evaluate is None:
        return None
    settings = recipe.evaluate
    models = sum(one.kind == "vllm" for one in recipe.teachers) + (2 if recipe.train is not None else 0)
    questions = sum(_lines(Path(path)) for path in settings.questions) or plan.evaluate_questions
    answers = min(questions, settings.limit or questions) * settings.samples_per_question * models
    tokens = min(plan.evaluate_tokens, float(settings.max_tokens))
    running = max(1, min(settings.max_num_seqs, answers // max(1, models)))
    step_s = speed(plan.teacher.speed).step_s(running, running * tokens / 2.0)
    seconds = answers * tokens * step_s / running / plan.teacher.speed_up
    gpus = settings.tensor_parallel_size if settings.tensor_parallel_size > 1 else plan.replica_gpus
    return StagePlan(name="evaluate", seconds=seconds, gpus=gpus, items=answers, tokens=round(answers * tokens))


def wall_s(stages: Sequence[StagePlan], generation: GenerationPlan, *, streams_to_trainer: bool) -> float:
    """Generation, verification, packing and, with a fixed number of steps, training at once; the rest after another."""
    by_name = {stage.name: stage.seconds for stage in stages}
    training = by_name.get("train", 0.0)
    at_once = [generation.seconds, by_name["verify"], by_name.get("pack", 0.0)]
    if streams_to_trainer:
        at_once.append(training)
        training = 0.0
    return by_name["curate"] + max(at_once) + training + by_name.get("evaluate", 0.0)


def bottleneck(stages: Sequence[StagePlan]) -> str:
    """The stage that takes longest, evaluation apart, which comes after the stream."""
    return max((stage for stage in stages if stage.name != "evaluate"), key=lambda stage: stage.seconds).name


def _lines(path: Path) -> int:
    if not path.is_file() or path.suffix != ".jsonl":
        return 0
    with path.open("rb") as lines:
        return sum(1 for line in lines if line.strip())
