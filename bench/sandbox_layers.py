"""Prints, a line each: a layer of the sandbox, CPU milliseconds per job with all layers up to it (parent and child),
page faults of the child. Arguments: the project's folder, number of jobs. Runs as `python -I -S` like a slot's zygote.
"""

import gc
import importlib.util
import os
import sys
import time
import types
from collections.abc import Callable
from typing import Any

_SOURCE = "import math, re, collections\ndef add(a, b):\n    return a + b\n"
_LIMITS = {"cpu_s": 6.0, "memory_bytes": 2**30, "file_bytes": 2**22, "processes": 4000}


def _package(root: str) -> None:
    """Make reasonmill.verify.sandbox.inside importable, and nothing above it."""
    for name, folder in (("reasonmill", root), ("reasonmill.verify", f"{root}/verify")):
        package = types.ModuleType(name)
        package.__path__ = [folder]
        sys.modules[name] = package
    assert importlib.util.find_spec("reasonmill.verify.sandbox.inside.confine") is not None


def _steps() -> dict[str, Callable[[], Any]]:
    from reasonmill.verify.sandbox.inside import assertions, confine, prelude, seccomp, solution

    prelude.load()
    assertions.prepare_silence()
    inherited, own = map(seccomp.Filter, seccomp.make_filters())
    confine.set_no_new_privileges()
    inherited.take_up()
    events = os.memfd_create("events")
    job = {
        "source": _SOURCE,
        "fn_name": "add",
        "exact": True,
        "calls": [[number, [number, 1], {}] for number in range(2)],
    }
    bounds = confine.resource_limits(_LIMITS, exec_follows=False)
    uid = 2**30 + os.getpid() if os.geteuid() == 0 else None

    if uid is not None:
        confine.prepare_root()

    def own_user() -> None:
        if uid is None:
            confine.continue_in_own_namespaces(visible=True)
        else:
            confine.become_job_user(uid, visible=True)

    return {
        "fork": lambda: None,
        "loading_and_two_calls": lambda: solution.run_calls(job, events),
        "own_group": lambda: os.setpgid(0, 0),
        "own_user": own_user,
        "resource_limits": lambda: confine.limit_resources(bounds, exec_follows=False),
        "system_call_filter": own.take_up,
    }


def _cost(steps: list[Callable[[], Any]], jobs: int) -> tuple[float, float]:
    from reasonmill.verify.sandbox.inside import confine

    cpu_s, faults, began = 0.0, 0, time.process_time()
    for _ in range(jobs):
        pid = confine.fork()
        if pid == 0:
            status = 1
            try:
                for step in steps:
                    step()
                status = 0
            finally:
                os._exit(status)
        _, status, usage = os.wait4(pid, 0)
        assert status == 0, f"a job ended with status {status}"
        cpu_s += usage.ru_utime + usage.ru_stime
        faults += usage.ru_minflt
    return (cpu_s + time.process_time() - began) / jobs * 1e3, faults / jobs


def main(root: str, jobs: int) -> None:
    """Measure the layers in turn, a tenth of the jobs at a time, and print their means."""
    nowhere = os.open(os.devnull, os.O_RDWR)
    output = os.dup(1)
    os.dup2(nowhere, 0)
    os.dup2(nowhere, 1)
    _package(root)
    named = _steps()
    gc.collect()
    gc.freeze()
    work = named.pop("loading_and_two_calls")
    order = [("fork", []), ("loading_and_two_calls", [work])]
    confined: list[Callable[[], Any]] = []
    for name, step in list(named.items())[1:]:
        confined = [*confined, step]
        order.append((name, [*confined, work]))
    rounds: dict[str, list[tuple[float, float]]] = {name: [] for name, _ in order}
    for _ in range(10):
        for name, steps in order:
            rounds[name].append(_cost(steps, max(1, jobs // 10)))
    for name, found in rounds.items():
        costs, faults = zip(*found, strict=True)
        os.write(output, f"{name} {sorted(costs)[len(costs) // 2]:.3f} {sum(faults) / len(faults):.0f}\n".encode())


if __name__ == "__main__":
    main(sys.argv[1], int(sys.argv[2]))
