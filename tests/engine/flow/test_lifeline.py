"""No process outlives its run."""

import os
import signal
import subprocess
import sys
import time
from pathlib import Path

from reasonmill.engine.flow.lifeline import RUN_MARK, kill_marked, marked_processes
from reasonmill.engine.flow.warden import start_warden


def sleeper(mark):
    return subprocess.Popen([sys.executable, "-c", "import time; time.sleep(60)"], env={**os.environ, RUN_MARK: mark})


def test_marked_processes_are_found_and_killed_and_no_others(tmp_path):
    ours, others = sleeper(str(tmp_path / "a")), sleeper(str(tmp_path / "b"))
    try:
        assert marked_processes(str(tmp_path / "a")) == [ours.pid]
        assert kill_marked(str(tmp_path / "a")) == 1
        assert ours.wait(5) == -signal.SIGKILL
        assert others.poll() is None
    finally:
        others.kill()
        others.wait()


def test_the_warden_kills_what_a_killed_coordinator_leaves(tmp_path):
    mark = str(tmp_path)
    child = sleeper(mark)
    warden = start_warden(mark, dict(os.environ))
    time.sleep(0.3)
    assert child.poll() is None
    warden.stdin.close()  # what the kernel does when the coordinator is killed
    assert child.wait(10) == -signal.SIGKILL
    assert warden.wait(10) == 0


def test_a_child_dies_with_its_parent():
    program = (
        "import subprocess, sys, time\n"
        "child = subprocess.Popen([sys.executable, '-c', 'from reasonmill.engine.flow.lifeline import die_with_parent;"
        "die_with_parent(); print(1, flush=True); import time; time.sleep(60)'], stdout=subprocess.PIPE)\n"
        "child.stdout.readline(); print(child.pid, flush=True); time.sleep(60)\n"
    )
    parent = subprocess.Popen([sys.executable, "-c", program], stdout=subprocess.PIPE, text=True)
    pid = int(parent.stdout.readline())
    parent.kill()
    parent.communicate()
    deadline = time.monotonic() + 5
    while running(pid) and time.monotonic() < deadline:
        time.sleep(0.05)
    assert not running(pid)


def running(pid):
    try:
        return Path(f"/proc/{pid}/stat").read_text().rsplit(")", 1)[1].split()[0] != "Z"
    except FileNotFoundError:
        return False
