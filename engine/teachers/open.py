"""Opens the teachers of a recipe. Those with equal engine settings share one engine; all are closed with the block."""

from collections.abc import AsyncIterator, Sequence
from contextlib import AsyncExitStack, asynccontextmanager
from pathlib import Path

from reasonmill.engine.simulation.replica import open_replicas as open_simulated_replicas
from reasonmill.engine.teachers.endpoint_teacher import open_endpoint
from reasonmill.engine.teachers.engine import Engine, check_model
from reasonmill.engine.teachers.engine_process import engine_environment
from reasonmill.engine.teachers.protocol import Teacher
from reasonmill.engine.teachers.replica_set import ReplicaSet
from reasonmill.engine.teachers.replica_settings import BalanceSettings
from reasonmill.engine.teachers.replicas import open_replicas
from reasonmill.engine.teachers.scripted import open_scripted
from reasonmill.engine.teachers.settings import TeacherSettings
from reasonmill.engine.teachers.vllm_teacher import VllmTeacher, engine_spec


@asynccontextmanager
async def open_teachers(settings: Sequence[TeacherSettings], *, log_dir: Path) -> AsyncIterator[dict[str, Teacher]]:
    """The teachers by name, in the order given. An engine's room is the sum of its teachers' max_num_seqs.

    Raises ValueError for a model, script, key or file of answers that is missing, ModuleNotFoundError without vLLM,
    TeacherLost where vLLM cannot load a model or no server can be used.
    """
    scripted = {one.name: open_scripted(one) for one in settings if one.kind == "scripted"}
    served_apart = [one for one in settings if one.kind == "vllm" and one.data_parallel_size > 1]
    groups = sharing_groups([one for one in settings if one.kind == "vllm" and one.data_parallel_size == 1])
    for one in (*served_apart, *(group[0] for group in groups)):
        check_model(str(one.model))
    async with AsyncExitStack() as stack:
        served: dict[str, Teacher] = dict(scripted)
        for one in settings:
            if one.kind == "endpoint":
                served[one.name] = await stack.enter_async_context(open_endpoint(one))
        for one in served_apart:
            served[one.name] = await stack.enter_async_context(open_replicas(one, log_dir=log_dir))
        engines = [await stack.enter_async_context(open_engine(group[0], log_dir=log_dir)) for group in groups]
        for group, engine in zip(groups, engines, strict=True):  # they import at once and load in turn: vLLM measures
            room = sum(one.max_num_seqs for one in group)  # free GPU memory while it loads
            await engine.load(engine_spec(group[0], max_num_seqs=room))
            served |= {one.name: VllmTeacher(one, engine) for one in group}
        for one in settings:
            if one.kind == "simulated":
                served[one.name] = await stack.enter_async_context(open_simulated(one))
        yield {one.name: served[one.name] for one in settings}


def open_simulated(settings: TeacherSettings) -> ReplicaSet:
    """The simulated teacher of these settings, on the running loop's clock."""
    replicas = open_simulated_replicas(
        settings.simulation,
        teacher=settings.name,
        max_num_seqs=settings.max_num_seqs,
        max_tokens=settings.max_tokens,
    )
    return ReplicaSet(settings.name, replicas, BalanceSettings(initial_num_seqs=settings.max_num_seqs))


def open_engine(settings: TeacherSettings, *, log_dir: Path) -> Engine:
    """An engine as these settings ask, without a model yet; its log is `engine-NAME.log`."""
    return Engine(
        log=log_dir / f"engine-{settings.name}.log",
        environment=engine_environment(cpu_threads=settings.cpu_threads),
        start_limit_s=settings.start_limit_s,
        stall_limit_s=settings.stall_limit_s,
        max_restarts=settings.max_restarts,
    )


def sharing_groups(settings: Sequence[TeacherSettings]) -> list[list[TeacherSettings]]:
    """The teachers in groups that can share an engine, in the order of their first members."""
    groups: dict[object, list[TeacherSettings]] = {}
    for one in settings:
        limits = (one.cpu_threads, one.start_limit_s, one.stall_limit_s, one.max_restarts)
        groups.setdefault((engine_spec(one, max_num_seqs=1), limits), []).append(one)
    return list(groups.values())
