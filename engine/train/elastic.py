"""torchrun that dies with its parent and passes SIGTERM on: `python -m reasonmill.engine.train.elastic --config FILE`.

Ends as launcher.py lists: with 75 (EX_TEMPFAIL) when it was stopped by SIGTERM and saved, with a rank's own status for
a mistake or a fault, with 1 when a rank failed otherwise or was killed; then the other ranks are stopped at once.

Over several nodes `reasonmill train` or `run` starts node 0's ranks. MASTER_ADDR and MASTER_PORT are set on all nodes;
on each other one the line above is run, with NODE_RANK from 1 on.
"""

import os
import signal
import sys
from collections.abc import Mapping
from pathlib import Path

from reasonmill.engine.flow.lifeline import die_with_parent
from reasonmill.engine.train.launcher import (
    EXIT_FAULT,
    EXIT_FINISHED,
    EXIT_MISTAKE,
    EXIT_STOPPED,
    rank_environment,
)
from reasonmill.engine.train.settings import TrainSettings


def main() -> int:
    """Start the ranks that the configuration asks for, and wait for them."""
    die_with_parent()
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    stopping: list[int] = []

    def pass_on(number: int, _: object) -> None:
        stopping.append(number)
        for child in _children():
            os.kill(child, signal.SIGTERM)

    signal.signal(signal.SIGTERM, pass_on)
    from reasonmill.engine.train.config import TrainConfig
    from reasonmill.engine.train.status import clear_status, read_status

    path = sys.argv[sys.argv.index("--config") + 1]
    try:
        config = TrainConfig.read(path)
        placed = torchrun_arguments(config.settings, os.environ)
    except ValueError as mistake:
        print(f"error: {mistake}", file=sys.stderr)
        return EXIT_MISTAKE
    os.environ.update(rank_environment(config.settings.num_ranks // config.settings.num_nodes))
    output_dir = Path(config.output_dir)
    clear_status(output_dir)
    from torch.distributed.elastic.multiprocessing.errors import ChildFailedError
    from torch.distributed.run import main as torchrun

    if stopping:
        return EXIT_STOPPED
    try:
        torchrun([*placed, "--module", "reasonmill.engine.train.main", "--config", path])
    except ChildFailedError as error:
        print(error, file=sys.stderr, flush=True)
        found = {failure.exitcode for failure in error.failures.values()}
        if stopping and found == {-signal.SIGTERM}:
            return EXIT_STOPPED  # asked before a rank could hear it: nothing was trained since the newest checkpoint
        return max(found & {EXIT_MISTAKE, EXIT_FAULT}, default=1)
    status = read_status(output_dir)
    return EXIT_FINISHED if status is not None and status[0] == "finished" else EXIT_STOPPED


def torchrun_arguments(settings: TrainSettings, environment: Mapping[str, str]) -> list[str]:
    """Where the ranks run. Raises ValueError naming what several nodes need and the environment lacks."""
    arguments = [
        "--signals-to-handle=SIGHUP,SIGQUIT",  # SIGTERM stays ours
        f"--nproc-per-node={settings.num_ranks // settings.num_nodes}",
    ]
    if settings.num_nodes == 1:
        return ["--standalone", *arguments]
    for name in ("MASTER_ADDR", "MASTER_PORT"):
        if not environment.get(name):
            raise ValueError(f"num_nodes: {settings.num_nodes}, but {name} is not set: address and free port of node 0")
    return [
        *(*arguments, f"--nnodes={settings.num_nodes}", f"--node-rank={environment.get('NODE_RANK') or 0}"),
        *(f"--master-addr={environment['MASTER_ADDR']}", f"--master-port={environment['MASTER_PORT']}"),
    ]


def _children() -> list[int]:
    """Process ids of this process's children (those its main thread started)."""
    listed = Path(f"/proc/self/task/{os.getpid()}/children")
    return [int(number) for number in listed.read_text().split()] if listed.exists() else []


if __name__ == "__main__":
    sys.exit(main())
