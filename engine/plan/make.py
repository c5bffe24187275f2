"""A whole plan: stages, wall time, bottleneck and the best split of the GPUs, from a recipe and rates."""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import asdict, dataclass, replace
from pathlib import Path
from typing import Any

from reasonmill.engine.plan.generation import GenerationPlan, plan_generation, queries_to_rehearse
from reasonmill.engine.plan.measured import as_fast_as, measured_checks, measured_teacher, teacher_busy_s
from reasonmill.engine.plan.rehearsal import Stand
from reasonmill.engine.plan.settings import PlanSettings
from reasonmill.engine.plan.split import Need, Split, best_split
from reasonmill.engine.plan.stages import (
    StagePlan,
    bottleneck,
    curate_stage,
    evaluate_stage,
    generate_stages,
    pack_stage,
    teacher_gpus,
    train_stage,
    verify_stage,
    wall_s,
)
from reasonmill.engine.plan.workload import Workload, workload
from reasonmill.engine.recipe import Recipe
from reasonmill.engine.simulation.answers import AnswerModel
from reasonmill.engine.simulation.bounds import World
from reasonmill.engine.simulation.settings import FaultSettings, SimulationSettings
from reasonmill.engine.teachers.settings import TeacherSettings

CUT_LOOK = 500  # queries whose assumed first answers are looked at
CUT_SHARE = 0.25  # of them that max_tokens may cut off before the plan warns


@dataclass(frozen=True, kw_only=True)
class Plan:
    """What a run is expected to take. `rates` names where each teacher's figures come from."""

    run: str
    mode: str  # of asking
    num_queries: int
    rehearsed_queries: int
    rates: dict[str, str]
    stages: tuple[StagePlan, ...]
    generate_s: float
    wall_s: float
    bottleneck: str
    gpus: int
    split: Split | None
    warnings: tuple[str, ...]  # why not to believe it

    @property
    def gpu_hours(self) -> float:
        """Of all stages."""
        return sum(stage.gpu_hours for stage in self.stages)

    def as_json(self) -> dict[str, Any]:
        """The plan as plain values."""
        stages = [asdict(stage) | {"gpu_hours": stage.gpu_hours} for stage in self.stages]
        return asdict(self) | {"stages": stages, "gpu_hours": self.gpu_hours}


def make_plan(recipe: Recipe, settings: PlanSettings, *, rates: Path | None = None) -> Plan:
    """The plan of a recipe; with `rates`, a run's folder, from what that run measured. Raises ValueError."""
    settings.check_names([one.name for one in recipe.teachers])
    if rates is not None:
        settings = measured_checks(rates, settings)
    sources: dict[str, str] = {}
    stands = [_stand(one, recipe, settings, rates, sources) for one in recipe.teachers]
    work = workload(
        recipe,
        rehearse=queries_to_rehearse(recipe, settings, stands),
        removed_share=settings.curate_removed_share,
    )
    generation = plan_generation(recipe, settings, stands, work)
    worlds = {stand.settings.name: stand.world for stand in stands}
    num_read = round(work.num_queries / (1.0 - settings.curate_removed_share))
    packed = pack_stage(generation, recipe, settings)
    listed = [
        curate_stage(num_read, settings),
        *generate_stages(generation, worlds, recipe, settings),
        verify_stage(generation, recipe),
        packed,
        train_stage(packed, recipe, settings),
        evaluate_stage(recipe, settings),
    ]
    stages = tuple(stage for stage in listed if stage is not None)
    streams = recipe.train is not None and recipe.train.max_steps is not None
    used = sum(stage.gpus for stage in stages if stage.name.startswith("generate"))
    used += sum(stage.gpus for stage in stages if stage.name == "train" and streams)
    gpus = settings.gpus or used
    needs = _needs(recipe, settings, stands, generation, stages, streams=streams)
    return Plan(
        run=recipe.run.name,
        mode=recipe.attempts.mode,
        num_queries=work.num_queries,
        rehearsed_queries=generation.rehearsed_queries,
        rates=sources,
        stages=stages,
        generate_s=generation.seconds,
        wall_s=wall_s(stages, generation, streams_to_trainer=streams),
        bottleneck=bottleneck(stages),
        gpus=gpus,
        split=best_split(needs, gpus) if needs else None,
        warnings=tuple(_warnings(stands, sources, work)),
    )


def _stand(
    teacher: TeacherSettings, recipe: Recipe, settings: PlanSettings, rates: Path | None, sources: dict[str, str]
) -> Stand:
    """The teacher as it is simulated, as it was measured, or as it is assumed."""
    world = teacher.simulation if teacher.kind == "simulated" else assumed_world(teacher, settings)
    world = replace(world, text_mode="short")
    measured = None
    if rates is not None:
        measured = measured_teacher(rates, teacher.name, world, busy_s=teacher_busy_s(rates, teacher.name))
    sources[teacher.name] = "simulated" if teacher.kind == "simulated" else "assumed"
    if measured is None:
        answers = AnswerModel(world, teacher=teacher.name, max_tokens=teacher.max_tokens)
        return Stand(settings=teacher, world=world, answers=answers)
    sources[teacher.name] = "measured"
    world = as_fast_as(measured, world)
    answers = AnswerModel(
        world,
        teacher=teacher.name,
        max_tokens=teacher.max_tokens,
        lengths=measured.lengths,
        wrong_lengths=measured.wrong_lengths,
        rates=measured.rates,
    )
    return Stand(settings=teacher, world=world, answers=answers)


def _warnings(stands: Sequence[Stand], sources: Mapping[str, str], work: Workload) -> Iterator[str]:
    """Assumed answers that the recipe cuts off are no answers of the teacher that it names."""
    for stand in stands:
        teacher = stand.settings
        if sources[teacher.name] != "assumed" or teacher.kind == "scripted":
            continue
        asked = [q for q in work.known[:CUT_LOOK] if not teacher.categories or q.category in teacher.categories]
        world = replace(stand.world, faults=FaultSettings())
        model = AnswerModel(world, teacher=teacher.name, max_tokens=teacher.max_tokens)
        cut = sum(World(settings=world, teacher=teacher.name).ask(model, q, 1).finish_reason == "length" for q in asked)
        if asked and cut > CUT_SHARE * len(asked):
            yield (
                f"{teacher.name}: {cut / len(asked):.0%} of the answers that are assumed are longer than its max_tokens"
                f" {teacher.max_tokens}: give --rates RUN, or --set teachers.{teacher.name}.length_scale=…"
            )


def assumed_world(teacher: TeacherSettings, settings: PlanSettings) -> SimulationSettings:
    """What stands for a teacher that is not simulated: as many replicas as it has servers or engines."""
    servers = len(teacher.base_urls) if teacher.kind == "endpoint" else teacher.data_parallel_size
    world = settings.teachers.get(teacher.name, settings.teacher)
    return replace(world, replicas=max(servers, world.replicas))


def _needs(
    recipe: Recipe,
    settings: PlanSettings,
    stands: list[Stand],
    generation: GenerationPlan,
    stages: tuple[StagePlan, ...],
    *,
    streams: bool,
) -> dict[str, Need]:
    needs: dict[str, Need] = {}
    for stand, planned in zip(stands, generation.teachers, strict=True):
        _, each = teacher_gpus(stand.settings, stand.world, settings)
        if each:  # nothing is to be split for a script, or what others pay for
            seconds = planned.work_s / stand.world.speed_up
            needs[planned.name] = Need(seconds=seconds, gpus=each, tail_s=planned.longest_answer_s)
    training = next((stage for stage in stages if stage.name == "train"), None)
    if training is not None and streams:
        needs["train"] = Need(seconds=training.seconds * training.gpus, gpus=1)
    return needs
