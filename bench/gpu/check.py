"""All GPU checks and benches in under ten minutes and one JSON, whatever fails on the way.

    python -P -m reasonmill.bench.gpu.check --output results.json [--dry-run] [PART ...]

Each part runs in a process of its own with a time limit: a crash, a hang or a poisoned CUDA context ends that part
alone, and what it had measured until then is kept. The file is rewritten after every part. Needs torch, Triton, NumPy
and pytest; what else is compared with is said to be missing where it is. `--dry-run` takes tiny sizes through Triton's
interpreter on a CPU, parts side by side: it proves the script, its times mean nothing.
"""

import argparse
import json
import os
import subprocess
import sys
import threading
import time
from collections.abc import Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from datetime import UTC, datetime
from functools import partial
from pathlib import Path
from typing import Any

from reasonmill.bench.record import commit, machine, versions

# Seconds a part may take on a GPU, together under ten minutes; what a part leaves over, later ones do not get.
PARTS = {
    "tests": 120,
    "pack": 30,
    "loss": 100,
    "layers": 65,
    "top1": 30,
    "attention": 40,
    "train": 120,
    "loss_quack": 60,
}
_DEADLINE_S = 570
_TAIL = 6000  # characters of a part's output that are kept when it did not end well


@dataclass(frozen=True, kw_only=True)
class Result:
    """What became of a part: `ok`, `failed`, `timeout` or `not run`."""

    state: str
    seconds: float
    figures: tuple[dict[str, Any], ...] = ()
    remarks: tuple[str, ...] = ()
    tail: str = ""


def main(arguments: Sequence[str] | None = None) -> int:
    """Exit status: 0 when every part ended well."""
    parser = argparse.ArgumentParser(prog="reasonmill.bench.gpu.check", description=(__doc__ or "").splitlines()[0])
    parser.add_argument("parts", nargs="*", metavar="PART", help=f"of {', '.join(PARTS)}; all by default")
    parser.add_argument("--output", type=Path, required=True, help="JSON file to write")
    parser.add_argument("--dry-run", action="store_true", help="tiny sizes, Triton's interpreter, no GPU needed")
    options = parser.parse_args(arguments)
    unknown = [name for name in options.parts if name not in PARTS]
    if unknown:
        parser.error(f"no part {unknown[0]!r}; there are {', '.join(PARTS)}")
    began = time.monotonic()
    head = {"measured_at": datetime.now(UTC).isoformat(timespec="seconds"), "dry_run": options.dry_run}
    head |= {"commit": commit(), "machine": machine(), "versions": versions()}
    results: dict[str, Result] = {}
    with ThreadPoolExecutor(len(os.sched_getaffinity(0)) if options.dry_run else 1) as pool:  # parts do not share a GPU
        names = options.parts or list(PARTS)
        run = partial(_run_in_time, dry_run=options.dry_run, end=began + _DEADLINE_S)
        for name, result in zip(names, pool.map(run, names), strict=True):
            results[name] = result
            _say(name, result)
            _write(options.output, head | {"seconds": round(time.monotonic() - began, 1)}, results)
    return 0 if all(result.state == "ok" for result in results.values()) else 1


def _run_in_time(name: str, *, dry_run: bool, end: float) -> Result:
    left = end - time.monotonic()
    if left < 10:
        return Result(state="not run", seconds=0.0, tail="no time was left")
    return run_part(name, left if dry_run else min(PARTS[name], left), dry_run=dry_run)


def run_part(name: str, limit_s: float, *, dry_run: bool) -> Result:
    """Run a part in a process of its own, killed with all it started at the limit."""
    environment = {**os.environ, "PYTHONSAFEPATH": "1", "PYTHONUNBUFFERED": "1"}
    if dry_run:
        environment |= {"TRITON_INTERPRET": "1", "CUDA_VISIBLE_DEVICES": ""}
    command = [sys.executable, "-m", "reasonmill.bench.gpu.part", name, *["--dry-run"] * dry_run]
    began = time.monotonic()
    with subprocess.Popen(
        command,
        env=environment,
        stdin=subprocess.DEVNULL,
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
        errors="replace",
        start_new_session=True,
    ) as process:
        timer = threading.Timer(limit_s, os.killpg, (process.pid, 9))
        timer.start()
        try:
            assert process.stdout is not None, "its output is a pipe"
            lines = list(process.stdout)
        finally:
            timer.cancel()
    seconds = time.monotonic() - began
    told = [told for line in lines if (told := _told(line))]
    state = "ok" if process.returncode == 0 else "timeout" if seconds >= limit_s else "failed"
    return Result(
        state=state,
        seconds=round(seconds, 1),
        figures=tuple(line["figure"] for line in told if "figure" in line),
        remarks=tuple(line["remark"] for line in told if "remark" in line),
        tail="" if state == "ok" else "".join(line for line in lines if not _told(line))[-_TAIL:],
    )


def _told(line: str) -> dict[str, Any] | None:
    """The figure or remark that a line of a part's output holds, if it does."""
    if not line.startswith(('{"figure"', '{"remark"')):
        return None
    try:
        told: dict[str, Any] = json.loads(line)
    except json.JSONDecodeError:  # cut short by the end of the part
        return None
    return told


def _write(path: Path, head: dict[str, Any], results: dict[str, Result]) -> None:
    parts = {
        name: {"state": result.state, "seconds": result.seconds, "remarks": result.remarks, "tail": result.tail}
        for name, result in results.items()
    }
    stages = {name: result.figures for name, result in results.items()}
    path.parent.mkdir(parents=True, exist_ok=True)
    aside = path.with_name(path.name + ".aside")
    aside.write_text(json.dumps({**head, "parts": parts, "stages": stages}, indent=2) + "\n", encoding="utf-8")
    aside.replace(path)


def _say(name: str, result: Result) -> None:
    print(f"{name}: {result.state}, {result.seconds:.0f} s, {len(result.figures)} figures", flush=True)
    for line in _lines(result):
        print("  " + line, flush=True)


def _lines(result: Result) -> Iterator[str]:
    for figure in result.figures:
        met = "" if figure["met"] is None else f"  target {figure['target']:g} {'met' if figure['met'] else 'MISSED'}"
        yield f"{figure['name']:<44} {figure['value']:>12.5g} {figure['unit']}{met}"
    yield from result.remarks
    if result.tail:
        yield "... " + result.tail[-600:].replace("\n", "\n  ")


if __name__ == "__main__":
    sys.exit(main())
