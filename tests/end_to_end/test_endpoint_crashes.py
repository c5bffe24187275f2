"""An endpoint teacher, its server, the engine and verifiers killed at random moments: two of the trials that
endpoint_crash_trials.py makes by the hundred.
"""

import subprocess
import sys
from pathlib import Path

import pytest

SCRIPT = Path(__file__).parent / "endpoint_crash_trials.py"


@pytest.mark.slow
def test_killed_runs_end_alike_and_the_servers_log_shows_nothing_asked_twice(tmp_path):
    command = [sys.executable, str(SCRIPT), "--trials", "2", "--num-queries", "80", "--folder", str(tmp_path)]
    done = subprocess.run(command, capture_output=True, text=True, timeout=300)
    assert done.returncode == 0, done.stdout[-2000:] + done.stderr[-2000:]
    assert "2 of 2 equal to the undisturbed run" in done.stdout
