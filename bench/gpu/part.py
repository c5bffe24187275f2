"""One part of the GPU check: figures and remarks as JSON lines on standard output, each as soon as it is known."""

import argparse
import json
import re
import subprocess
import sys
import threading
from collections import Counter
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from dataclasses import asdict
from importlib import import_module
from pathlib import Path

from reasonmill.bench.figure import Figure

_TESTS_S = 120.0  # that a file of tests may take, of the part's 140
ROOT = Path(__file__).resolve().parents[2]
Told = Figure | str  # a remark is a sentence: what could not be measured, and why


def main() -> int:
    """Exit status: 0 when the part ended well."""
    parser = argparse.ArgumentParser()
    parser.add_argument("part")
    parser.add_argument("--dry-run", action="store_true")
    options = parser.parse_args()
    if options.part == "tests":
        told = _tests(options.dry_run)
    else:
        told = import_module(f"reasonmill.bench.gpu.{options.part}").measure(options.dry_run)
    for one in told:
        line = {"remark": one} if isinstance(one, str) else {"figure": asdict(one) | {"met": one.met}}
        print(json.dumps(line), flush=True)
    return 0


def _tests(dry_run: bool) -> Iterator[Told]:
    """The tests that need a GPU, or one of them under the interpreter; files side by side: compiling takes long."""
    files = [*sorted((ROOT / "tests/kernels/gpu").glob("test_*.py")), ROOT / "tests/kernels/test_attention.py"]
    if dry_run:
        files = [path for path in files if path.name == "test_loss_kernel.py"]
    chosen = ["-k", "is_not_a_number"] if dry_run else ["-m", "gpu", "-W", "default"]
    command = [sys.executable, "-m", "pytest", "-q", "-p", "no:cacheprovider", *chosen]
    with ThreadPoolExecutor(len(files)) as pool:
        runs = list(pool.map(lambda path: _run([*command, str(path)]), files))
    counts: Counter[str] = Counter()
    for done in runs:
        for count, kind in re.findall(
            r"(\d+) (passed|failed|error)", done.stdout.splitlines()[-1] if done.stdout else ""
        ):
            counts[kind] += int(count)
    failed = counts["failed"] + counts["error"]
    yield Figure(name="passed_tests", value=counts["passed"], unit="tests", gated=True)
    yield Figure(name="failed_tests", value=failed, unit="tests", better="lower", target=0, gated=True)
    broken = [(path, done) for path, done in zip(files, runs, strict=True) if done.returncode]
    for path, done in broken:
        yield f"{path.name}: {done.stdout[-3000:]}{done.stderr[-1000:]}"
    if broken:
        raise SystemExit(1)


def _run(command: list[str]) -> subprocess.CompletedProcess[str]:
    """One that takes too long is ended and has failed; what it said until then is kept."""
    with subprocess.Popen(
        command, cwd=ROOT, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True, errors="replace"
    ) as process:
        timer = threading.Timer(_TESTS_S, process.kill)
        timer.start()
        try:
            stdout, stderr = process.communicate()
        finally:
            timer.cancel()
    return subprocess.CompletedProcess(command, process.returncode, stdout, stderr)


if __name__ == "__main__":
    sys.exit(main())
