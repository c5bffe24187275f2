"""Kills the engine, the teacher's server and verifier workers of runs at random moments, resumes, and proves from the
server's own log that nothing which was finished is asked again.

`python tests/end_to_end/endpoint_crash_trials.py --trials 200 --folder DIR`: a simulated OpenAI server with three
replicas answers; it is started again when it is killed. Each trial ends with the pairs and dataset of the undisturbed
run. An answer that was delivered less than GRACE_S before a kill may not have reached the journal: those that were
asked twice for that reason are counted and printed, any other is a failure.
"""

import argparse
import hashlib
import json
import os
import random
import signal
import sqlite3
import subprocess
import sys
import time
from collections import defaultdict
from contextlib import closing
from pathlib import Path

from reasonmill.engine.flow.lifeline import marked_processes

GRACE_S = 0.5  # the journal's group window of 0.02 s, an fsync, and the way of an answer through a busy loop
REPLICAS = 3
BIN = Path(sys.executable).parent / "reasonmill"
RECIPE = """
run: {{name: trials, seed: 3, shard_queries: 64}}
queries: {{paths: [{queries}]}}
teachers:
  - {{name: simulated, kind: endpoint, base_url: [{urls}], max_num_seqs: 16, outage_limit_s: 60.0}}
attempts: {{max_attempts: 6, defer_after: 3}}
verify: {{math_workers: 2}}
"""


class Server:
    """The simulated teacher, started again whenever it is gone."""

    def __init__(self, log, speed_up, port):
        self._log = log
        self._port = port
        self._speed_up = speed_up
        self._process = None

    def ensure(self):
        if self._process is not None and self._process.poll() is None:
            return
        self._process = subprocess.Popen(
            [
                *(str(BIN), "simulate-teacher", "--port", str(self._port), "--replicas", str(REPLICAS)),
                *("--speed-up", str(self._speed_up), "--log", str(self._log)),
                *("--set", "faults.drop_rate=0.01", "--set", "faults.error_rate=0.01"),
            ],
            stdout=subprocess.PIPE,
            text=True,
        )
        for _ in range(REPLICAS):
            assert self._process.stdout.readline().startswith("ready"), "the server did not come up"

    def kill(self):
        self._process.send_signal(signal.SIGKILL)
        self._process.wait()

    def stop(self):
        if self._process is not None:
            self._process.kill()
            self._process.wait()


def start(recipe, folder, resume=False):
    command = [str(BIN), "run", str(recipe), "--output-dir", str(folder), *(["--resume"] if resume else [])]
    with Path(f"{folder}.log").open("ab") as log:
        return subprocess.Popen(command, stdout=log, stderr=log)


def contents(folder):
    files = {
        str(p.relative_to(folder)): hashlib.sha256(p.read_bytes()).hexdigest()
        for p in sorted((folder / "dataset").rglob("*.parquet"))
    }
    with closing(sqlite3.connect(folder / "journal.sqlite")) as journal:
        pairs = journal.execute("SELECT ordinal, teacher, number, last, reason FROM pairs ORDER BY 1, 2").fetchall()
    return {"files": files, "pairs": pairs}


def texts(folder):
    """What the journal holds of each attempt; durations differ between runs."""
    with closing(sqlite3.connect(folder / "journal.sqlite")) as journal:
        return {(row[0], row[1]): row[2] for row in journal.execute("SELECT ordinal, number, seed FROM attempts")}


def asked_again(log, kills):
    """How many were asked again though they had been delivered, within grace of a kill; and the others, with times."""
    delivered, excused, wrong = {}, 0, []
    for line in log.read_text().splitlines():
        entry = json.loads(line)
        key = (entry["query"], entry["seed"])
        if entry["event"] == "delivered":
            delivered[key] = entry["unix_s"]
        elif entry["event"] == "asked" and key in delivered:
            before_kill_s = min((kill - delivered[key] for kill in kills if kill >= delivered[key]), default=None)
            if before_kill_s is not None and before_kill_s <= GRACE_S:
                excused += 1
            else:
                wrong.append({"asked_after_s": entry["unix_s"] - delivered[key], "before_kill_s": before_kill_s})
    return excused, wrong


def one_trial(recipe, folder, server, rng, longest_s):
    """Run with up to three kills, to the end; returns what was killed and when."""
    killed = []
    process = start(recipe, folder)
    for _ in range(rng.randint(1, 3)):
        try:
            process.wait(timeout=rng.uniform(0.3, longest_s))
        except subprocess.TimeoutExpired:
            target = rng.choice(["engine", "server", "verifier"])
            killed.append((target, kill(target, process, folder, server)))
        server.ensure()
        if process.poll() is not None and process.returncode != 0:
            process = start(recipe, folder, resume=(folder / "recipe.resolved.yaml").exists())
    deadline = time.monotonic() + 180
    while process.poll() != 0:
        if time.monotonic() > deadline:
            raise SystemExit(f"{folder}: not finished after 180 s, see {folder}.log")
        server.ensure()
        if process.poll() is not None:
            process = start(recipe, folder, resume=True)
        time.sleep(0.1)
    return killed


def kill(target, process, folder, server):
    if target == "server":
        server.kill()
    elif target == "engine":
        process.send_signal(signal.SIGKILL)
        process.wait()
    else:
        workers = [pid for pid in marked_processes(str(folder)) if b"reasonmill.verify" in command_line(pid)]
        for pid in workers[:1]:
            os.kill(pid, signal.SIGKILL)
    return time.time()


def command_line(pid):
    try:
        return Path(f"/proc/{pid}/cmdline").read_bytes()
    except OSError:
        return b""


def main():
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--trials", type=int, default=20)
    parser.add_argument("--folder", type=Path, required=True)
    parser.add_argument("--num-queries", type=int, default=150)
    parser.add_argument("--speed-up", type=float, default=2000.0)
    parser.add_argument("--longest-s", type=float, default=3.0)
    parser.add_argument("--port", type=int, default=20_000 + os.getpid() % 10_000, help="of the first replica")
    parser.add_argument("--seed", type=int, default=1)
    options = parser.parse_args()
    folder = options.folder.absolute()
    folder.mkdir(parents=True, exist_ok=True)
    queries, recipe = folder / "queries.jsonl", folder / "recipe.yaml"
    written = ["--write-queries", str(queries), "--num-queries", str(options.num_queries)]
    subprocess.run([str(BIN), "simulate-teacher", *written, "--categories", "math", "science"], check=True)
    urls = ", ".join(f"http://127.0.0.1:{options.port + number}/v1" for number in range(REPLICAS))
    recipe.write_text(RECIPE.format(queries=queries, urls=urls))
    log = folder / "asked.jsonl"
    server, rng = Server(log, options.speed_up, options.port), random.Random(options.seed)
    totals = defaultdict(int)
    try:
        server.ensure()
        assert start(recipe, folder / "undisturbed").wait(timeout=600) == 0, f"see {folder}/undisturbed.log"
        expected, seeds = contents(folder / "undisturbed"), texts(folder / "undisturbed")
        for number in range(options.trials):
            log.write_text("")
            run = folder / f"trial-{number:03d}"
            killed = one_trial(recipe, run, server, rng, options.longest_s)
            same = contents(run) == expected
            same &= all(seeds.get(key, seed) == seed for key, seed in texts(run).items())
            excused, wrong = asked_again(log, [moment for _, moment in killed])
            for target, _ in killed:
                totals[f"kills of {target}"] += 1
            totals["equal"] += same
            totals["asked again within grace"] += excused
            totals["asked again without excuse"] += len(wrong)
            names = ", ".join(target for target, _ in killed) or "nothing"
            print(
                f"trial {number:3d}: killed {names}: {'same' if same else 'DIFFERENT'}, {excused} in grace", flush=True
            )
            if not same or wrong:
                print(f"  {wrong}", flush=True)
    finally:
        server.stop()
    print(f"{totals['equal']} of {options.trials} equal to the undisturbed run; {dict(totals)}")
    sys.exit(totals["equal"] != options.trials or totals["asked again without excuse"] > 0)


if __name__ == "__main__":
    main()
