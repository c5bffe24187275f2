"""One coordinator holds a run's folder at a time."""

import subprocess
import sys

import pytest

from reasonmill.engine.flow.run_directory import HeldRunDirectory

HOLDER = """
import fcntl, os, sys
lock = open(sys.argv[1], "a+")
fcntl.lockf(lock, fcntl.LOCK_EX)
print(os.getpid(), file=lock, flush=True)
print("held", flush=True)
sys.stdin.read()
"""


def test_a_folder_that_another_process_holds_is_refused_with_that_process(tmp_path):
    command = [sys.executable, "-c", HOLDER, str(tmp_path / "lock")]
    with subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True) as holder:
        assert holder.stdout.readline() == "held\n"
        with pytest.raises(ValueError, match=f"is in use by process {holder.pid}"):
            HeldRunDirectory._take_lock(tmp_path)
        holder.stdin.close()
        holder.wait()
    HeldRunDirectory._take_lock(tmp_path).close()
