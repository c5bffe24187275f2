"""The Triton kernels give what their twins give, run by Triton's interpreter on this machine's processor."""

import os
import re
import subprocess
import sys
from concurrent.futures import ThreadPoolExecutor
from importlib.util import find_spec
from pathlib import Path

import pytest

FOLDER = Path(__file__).parent / "gpu"
LEAST = 100  # cases that must have run: fewer means that they were not collected
# NumPy 2 about the interpreter of Triton 3.6
OLDER_TRITON = ("-W", "ignore:Conversion of an array with ndim:DeprecationWarning")


@pytest.mark.skipif(find_spec("triton") is None, reason="triton is not installed: its kernels cannot be interpreted")
def test_kernels_equal_their_twins_under_the_interpreter():
    environment = {**os.environ, "TRITON_INTERPRET": "1", "PYTHONSAFEPATH": "1", "CUDA_VISIBLE_DEVICES": ""}
    command = [sys.executable, "-m", "pytest", "-q", "-p", "no:cacheprovider", *OLDER_TRITON]
    files = sorted(FOLDER.glob("test_*.py"), key=lambda path: path.stat().st_size)
    halves = files[-1:], files[:-1]  # the longest takes as long as the others

    def run(half):
        whole = [*command, *map(str, half)]
        return subprocess.run(whole, env=environment, cwd=FOLDER.parents[2], capture_output=True, text=True)

    with ThreadPoolExecutor(2) as pool:
        runs = list(pool.map(run, halves))
    for done in runs:
        assert done.returncode == 0, done.stdout + done.stderr
    assert sum(int(re.search(r"(\d+) passed", done.stdout).group(1)) for done in runs) >= LEAST
