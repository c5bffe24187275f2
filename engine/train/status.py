"""How a training run ended: `status.json` in its output folder, written aside and renamed."""

from collections.abc import Mapping
from dataclasses import asdict
from pathlib import Path
from typing import Any

import orjson

from reasonmill.engine.train.digest import Content, content_of

FILE = "status.json"


def write_status(
    output_dir: Path,
    status: str,
    step: int,
    *,
    packed: str | None = None,
    student: Mapping[str, Content] | None = None,
) -> None:
    """`status` is `finished` or `stopped`; `step` is the number of steps done; `packed` tells the set trained on, and
    `student` what the files of the student's folder hold.
    """
    aside = output_dir / f".{FILE}.partial"
    files = {name: asdict(content) for name, content in (student or {}).items()}
    aside.write_bytes(orjson.dumps({"status": status, "step": step, "packed": packed, "student": files}))
    aside.replace(output_dir / FILE)


def read_status(output_dir: Path) -> tuple[str, int] | None:
    """Status and step, or None when no run has ended yet."""
    try:
        content = orjson.loads((output_dir / FILE).read_bytes())
    except FileNotFoundError:
        return None
    return str(content["status"]), int(content["step"])


def trained_set(output_dir: Path) -> str | None:
    """What tells the set that the last run was trained on; None where that was not known."""
    told: str | None = orjson.loads((output_dir / FILE).read_bytes()).get("packed")
    return told


def student_fault(output_dir: Path, student_dir: Path) -> str | None:
    """The first file of the student that is not as it was written, or None; all of them are read."""
    files: dict[str, dict[str, Any]] = orjson.loads((output_dir / FILE).read_bytes()).get("student") or {}
    for name, known in files.items():
        path = student_dir / name
        if not path.is_file():
            return f"{str(path)!r} is missing"
        if path.stat().st_size != known["size"] or content_of(path) != Content(**known):
            return f"{str(path)!r} is damaged: it is not what was written"
    return None


def clear_status(output_dir: Path) -> None:
    """Forget how the last run ended: a new one begins."""
    (output_dir / FILE).unlink(missing_ok=True)
