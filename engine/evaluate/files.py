"""`reasonmill evaluate`: models times questions to evaluation.json."""

from collections.abc import Sequence
from dataclasses import asdict
from pathlib import Path

import orjson

from reasonmill.engine.evaluate.models import Model, evaluate_models
from reasonmill.engine.evaluate.questions import read_questions
from reasonmill.engine.evaluate.result import EvaluationResult
from reasonmill.engine.evaluate.settings import EvaluateSettings
from reasonmill.engine.store.aside import write_whole
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
) -> list[EvaluationResult]:
    """Evaluate model folders on the questions of files; writes `output`, and the engine's log beside it.

    Raises ValueError for a folder that is no model and for a row that is no question, FileNotFoundError.
    """
    output = Path(output)
    asked = read_questions(questions or settings.questions, limit=settings.limit)
    named = [Model(name=name, path=str(path)) for name, path in zip(_names(models), models, strict=True)]
    found: list[tuple[str, EvaluationResult]] = []

    def keep(model: Model, result: EvaluationResult) -> None:
        found.append((model.role, result))
        write_evaluation(output, found)

    async with VerifierPool(verify or VerifySettings()) as pool:
        return await evaluate_models(
            named, asked, pool, settings, log_dir=output.parent / "logs", seed=seed, on_result=keep
        )


def _names(models: Sequence[str | Path]) -> list[str]:
    """A name for each folder: its own, with as many of those above it as tell it from the others."""
    parts = [Path(path).resolve().parts[1:] or ("/",) for path in models]
    names = []
    for own in parts:
        depth = 1
        while depth < len(own) and any(other != own and other[-depth:] == own[-depth:] for other in parts):
            depth += 1
        names.append("/".join(own[-depth:]))
    return names


def write_evaluation(path: Path, results: Sequence[tuple[str, EvaluationResult]]) -> None:
    """Write evaluation.json: {"results": [{"role", "name", "pass_at_1", …}, …]}, whole or not at all."""
    value = {"results": [{"role": role, **asdict(result)} for role, result in results]}
    write_whole(path, orjson.dumps(value, option=orjson.OPT_INDENT_2))
