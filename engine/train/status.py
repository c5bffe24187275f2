"""How a training run ended: `status.json` in its output folder, written aside and renamed."""

from pathlib import Path

import orjson

FILE = "status.json"


def write_status(output_dir: Path, status: str, step: int, *, packed: str | None = None) -> None:
    """`status` is `finished` or `stopped`; `step` is the number of steps done; `packed` tells the set trained on."""
    aside = output_dir / f".{FILE}.partial"
    aside.write_bytes(orjson.dumps({"status": status, "step": step, "packed": packed}))
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


def clear_status(output_dir: Path) -> None:
    """Forget how the last run ended: a new one begins."""
    (output_dir / FILE).unlink(missing_ok=True)
