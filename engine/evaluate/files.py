"""`reasonmill evaluate`: models times benchmarks to evaluation.json, with the tables of its numbers beside it.

Answers are kept in a folder beside the output, so that the same call goes on where another one ended in whatever way.
"""

from collections.abc import Sequence
from dataclasses import asdict
from pathlib import Path
from typing import Any

import orjson
import xxhash

from reasonmill.engine.evaluate.benchmark import Benchmark
from reasonmill.engine.evaluate.evaluation import Evaluator, Scored
from reasonmill.engine.evaluate.models import Model, folder_model
from reasonmill.engine.evaluate.questions import read_benchmarks
from reasonmill.engine.evaluate.result import EvaluationResult
from reasonmill.engine.evaluate.settings import EvaluateSettings
from reasonmill.engine.evaluate.tables import markdown, tables
from reasonmill.engine.evaluate.trajectories import Trajectory
from reasonmill.engine.recipe_loader import as_plain
from reasonmill.engine.store.aside import write_whole
from reasonmill.engine.store.file_names import distinct_names
from reasonmill.verify.pool import VerifierPool
from reasonmill.verify.settings import VerifySettings


async def evaluate_files(
    models: Sequence[str | Path],
    questions: Sequence[str | Path],
    output: str | Path,
    settings: EvaluateSettings,
    *,
    verify: VerifySettings | None = None,
    seed: int = 0,
    fresh: bool = False,
) -> list[EvaluationResult]:
    """Evaluate model folders on the questions of files, each file a benchmark; writes `output`, and the engine's log,
    the answers and the tables beside it.

    Raises ValueError for a folder that is no model and for a row that is no question, FileNotFoundError.
    """
    benchmarks = read_benchmarks(questions or settings.questions, settings)
    named = [folder_model(name, str(path), settings) for name, path in zip(distinct_names(models), models, strict=True)]
    scored = await evaluate_to(output, named, benchmarks, settings, verify=verify, seed=seed, fresh=fresh)
    return [result for one in scored for result in one.results]


async def evaluate_to(
    output: str | Path,
    models: Sequence[Model],
    benchmarks: Sequence[Benchmark],
    settings: EvaluateSettings,
    *,
    verify: VerifySettings | None = None,
    seed: int = 0,
    fresh: bool = False,
) -> list[Scored]:
    """As `evaluate_files`, of models and benchmarks that are known. Raises as `Evaluator.run`."""
    output = Path(output)
    found: list[Scored] = []

    def keep(scored: Scored) -> None:
        found.append(scored)
        results = [result for one in found for result in one.results]
        changes = [change for one in found for change in one.changes]
        write_evaluation(output, [(one.model.role, result) for one in found for result in one.results], changes)
        write_whole(output.with_suffix(".md"), markdown(results, changes).encode("utf-8", "replace"))

    verify = verify or VerifySettings()
    async with VerifierPool(verify) as pool:
        evaluator = Evaluator(
            pool=pool,
            settings=settings,
            log_dir=output.parent / "logs",
            seed=seed,
            check=check_name(verify),
            answers_dir=output.with_suffix(".answers"),
            fresh=fresh,
        )
        return await evaluator.run(models, benchmarks, keep)


def check_name(verify: VerifySettings) -> str:
    """Names how answers are judged: another judge or another limit judges anew."""
    return str(xxhash.xxh3_64_hexdigest(orjson.dumps(as_plain(verify), option=orjson.OPT_SORT_KEYS)))


def write_evaluation(
    path: Path, results: Sequence[tuple[str, EvaluationResult]], changes: Sequence[Trajectory] = ()
) -> None:
    """Write evaluation.json, whole or not at all: {"results": [{"role", "name", "benchmark", "pass_at_1", …}, …],
    "tables": {"pass_at_1": {benchmark: {model: share}}, …}}, and "rounds" where there were several.
    """
    value: dict[str, Any] = {"results": [{"role": role, **asdict(result)} for role, result in results]}
    value["tables"] = tables([result for _, result in results])
    if changes:
        value["rounds"] = [asdict(change) for change in changes]
    write_whole(path, orjson.dumps(value, option=orjson.OPT_INDENT_2))
