"""Whole training steps on 32k rows of the paper's lengths: tokens a second, utilisation and peak memory of our engine
beside TRL's SFTTrainer with Liger, each in a process of its own.
"""

import os
import socket
import subprocess
import sys
from collections.abc import Iterator
from importlib.util import find_spec
from typing import Any

import orjson

from reasonmill.bench.figure import Figure
from reasonmill.bench.gpu.clock import device_of

_LIMIT_S = 60  # of one trainer with one student
# The larger student first: its figures have targets. `reasonmill.bench.gpu.train_steps` knows qwen3_1.7b too.
STUDENTS = {
    "qwen3_4b": ("ours", "trl_liger", "ours_own_kernels", "ours_liger"),
    "qwen3_0.6b": ("ours", "trl_liger"),
}
_DRY = {"tiny": ("ours", "trl_liger")}


def measure(dry_run: bool) -> Iterator[Figure | str]:
    """Each trainer's rate as soon as it is known, then what ours comes to."""
    device_of(dry_run)
    for student, trainers in (_DRY if dry_run else STUDENTS).items():
        found: dict[str, dict[str, Any]] = {}
        for trainer in trainers:
            told = _run(trainer, student, dry_run=dry_run)
            if isinstance(told, str):
                yield f"{student}, {trainer}: not measured: {told}"
                continue
            found[trainer] = told
            yield Figure(
                name=f"{student}_{trainer}_tokens_per_s", value=told["tokens_per_s"], unit="tokens/s", detail=told
            )
        yield from _compared(student, found)


def _compared(student: str, found: dict[str, dict[str, Any]]) -> Iterator[Figure]:
    ours = {name: told for name, told in found.items() if name.startswith("ours")}
    if not ours:
        return
    best = max(ours, key=lambda name: float(ours[name]["tokens_per_s"]))
    if ours[best]["mfu"] is not None:
        target = 0.5 if student == "qwen3_4b" else None
        detail: dict[str, object] = {"settings": best, "peak_flops": ours[best]["peak_flops"]}
        yield Figure(name=f"{student}_mfu", value=ours[best]["mfu"], unit="share", target=target, detail=detail)
    if "trl_liger" in found:
        peer = found["trl_liger"]
        faster = ours[best]["tokens_per_s"] / peer["tokens_per_s"]
        yield Figure(name=f"{student}_over_trl_liger", value=faster, unit="x", target=1.15, gated=True)
        if ours[best]["peak_mib"]:
            leaner = peer["peak_mib"] / ours[best]["peak_mib"]
            yield Figure(name=f"{student}_memory_trl_liger_over_ours", value=leaner, unit="x", gated=True)


def _run(trainer: str, student: str, *, dry_run: bool) -> dict[str, Any] | str:
    """What a trainer told, or why it did not."""
    if trainer.startswith("trl") and find_spec("trl") is None:
        return "TRL is not installed (pip install 'reasonmill[peers]')"
    if dry_run and "liger" in trainer:
        return "Liger's kernels need a GPU"
    alone = {"RANK": "0", "LOCAL_RANK": "0", "WORLD_SIZE": "1", "LOCAL_WORLD_SIZE": "1", "MASTER_ADDR": "127.0.0.1"}
    environment = {**os.environ, **alone, "MASTER_PORT": str(_free_port()), "PYTHONWARNINGS": "ignore"}
    if dry_run:
        environment["DS_ACCELERATOR"] = "cpu"
    command = [sys.executable, "-m", "reasonmill.bench.gpu.train_steps", trainer, student]
    try:
        done = subprocess.run(command, env=environment, capture_output=True, text=True, timeout=_LIMIT_S)
    except subprocess.TimeoutExpired:
        return f"it took more than {_LIMIT_S} s"
    lines = [line for line in done.stdout.splitlines() if line.startswith('{"tokens_per_s"')]
    if done.returncode or not lines:
        return (done.stderr.strip().splitlines() or ["it said nothing"])[-1][:300]
    told: dict[str, Any] = orjson.loads(lines[-1])
    return told


def _free_port() -> int:
    with socket.create_server(("127.0.0.1", 0)) as server:
        port: int = server.getsockname()[1]
    return port
