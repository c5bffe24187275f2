"""Kills processes of small runs at random moments, resumes, and compares with an undisturbed run.

`python tests/end_to_end/crash_trials.py --trials 20 --folder DIR`: each trial starts the recipe, kills one process with
-9 (the coordinator, vLLM's engine core, a verifier, a trainer rank, in turn) at a random moment, resumes until the run
has finished, and compares the dataset: the scripted teachers' shards must be equal byte for byte, and every
query and pair must be there exactly once.
"""

import argparse
import hashlib
import os
import random
import signal
import sqlite3
import subprocess
import sys
import time
from pathlib import Path

ROOT = Path(__file__).resolve().parents[2]
TARGETS = {
    "coordinator": None,
    "vllm": ("reasonmill.engine.teachers.vllm_local",),
    "verifier": ("reasonmill.verify",),
    "trainer rank": ("reasonmill.engine.train.main",),
}


def command(recipe, folder, overrides, *options):
    reasonmill = Path(sys.executable).parent / "reasonmill"
    return [str(reasonmill), "run", str(recipe), *overrides, "--output-dir", str(folder), *options]


def start(recipe, folder, overrides, *options):
    log = Path(f"{folder}.log").open("ab")  # noqa: SIM115 - the child owns it
    return subprocess.Popen(command(recipe, folder, overrides, *options), cwd=ROOT, stdout=log, stderr=log)


def marked(folder):
    """(pid, command line) of the run's processes."""
    mark = f"REASONMILL_RUN={folder}".encode()
    for entry in Path("/proc").iterdir():
        if entry.name.isdigit():
            try:
                if mark in (entry / "environ").read_bytes().split(b"\0"):
                    yield (
                        int(entry.name),
                        (entry / "cmdline").read_bytes().replace(b"\0", b" ").decode(errors="replace"),
                    )
            except OSError:
                continue


def victim(folder, coordinator, target, deadline):
    """Process to kill; waits for one to exist. None if the run ended first."""
    patterns = TARGETS[target]
    while coordinator.poll() is None and time.monotonic() < deadline:
        if patterns is None:
            return coordinator.pid
        found = [
            pid for pid, line in marked(folder) if any(p in line for p in patterns) and "distributed.run" not in line
        ]
        if found:
            return random.choice(found)
        time.sleep(0.1)
    return None


def fingerprint(folder, teachers):
    """Digest of each scripted teacher's shards, and the decided pairs of all."""
    shards = {
        str(p.relative_to(folder)): hashlib.sha256(p.read_bytes()).hexdigest()
        for teacher in teachers
        for p in sorted((folder / "dataset" / teacher).glob("*.parquet"))
    }
    with sqlite3.connect(folder / "journal.sqlite") as journal:
        marks = ", ".join("?" * len(teachers))
        pairs = journal.execute(
            f"SELECT ordinal, teacher, number, reason FROM pairs WHERE teacher IN ({marks}) ORDER BY 1, 2", teachers
        ).fetchall()
        everyone = journal.execute("SELECT ordinal, teacher FROM pairs ORDER BY 1, 2").fetchall()
        removed = journal.execute("SELECT query_id, reason FROM rejects WHERE teacher = '' ORDER BY 1").fetchall()
    return {"shards": shards, "pairs": pairs, "everyone": everyone, "removed": removed}


def one_trial(recipe, folder, overrides, target, moment_s):
    """Run, kill, resume; returns what happened."""
    coordinator = start(recipe, folder, overrides)
    time.sleep(moment_s)
    pid = victim(folder, coordinator, target, time.monotonic() + 120)
    if pid is not None:
        os.kill(pid, signal.SIGKILL)
    status = coordinator.wait(timeout=900)
    resumes = 0
    while status != 0:
        resumes += 1
        if resumes > 5:
            raise SystemExit(f"{folder}: still failing after 5 resumes, see {folder}.log")
        options = ["--resume"] if (folder / "recipe.resolved.yaml").exists() else []
        status = start(recipe, folder, overrides, *options).wait(timeout=900)
    left = list(marked(folder))
    return {"killed": pid is not None, "resumes": resumes, "leftovers": left}


def main():
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--trials", type=int, default=20)
    parser.add_argument("--folder", type=Path, required=True)
    parser.add_argument("--recipe", type=Path, default=ROOT / "tests" / "end_to_end" / "crash.yaml")
    parser.add_argument("--teachers", nargs="+", default=["sure", "unsure", "coder"], help="the scripted ones")
    parser.add_argument("--targets", nargs="+", default=list(TARGETS))
    parser.add_argument("--longest-s", type=float, default=45.0, help="latest moment of a kill")
    parser.add_argument("--seed", type=int, default=1)
    parser.add_argument("overrides", nargs="*")
    options = parser.parse_args()
    random.seed(options.seed)
    options.folder.mkdir(parents=True, exist_ok=True)
    undisturbed = (options.folder / "undisturbed").absolute()
    if start(options.recipe, undisturbed, options.overrides).wait(timeout=900) != 0:
        raise SystemExit(f"the undisturbed run failed, see {undisturbed}.log")
    expected = fingerprint(undisturbed, options.teachers)
    failures = 0
    for number in range(options.trials):
        target = options.targets[number % len(options.targets)]
        moment_s = random.uniform(0.2, options.longest_s)
        folder = (options.folder / f"trial-{number:02d}").absolute()
        happened = one_trial(options.recipe, folder, options.overrides, target, moment_s)
        same = fingerprint(folder, options.teachers) == expected
        failures += not same or bool(happened["leftovers"])
        outcome = "same" if same else "DIFFERENT"
        print(f"trial {number:2d}: {target:12s} killed at {moment_s:5.1f} s: {outcome}, {happened}", flush=True)
    print(f"{options.trials - failures} of {options.trials} equal to the undisturbed run")
    sys.exit(failures > 0)


if __name__ == "__main__":
    main()
