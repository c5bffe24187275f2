"""One rank of the trainer: `torchrun ... --module reasonmill.engine.train.main --config CONFIG`.

Goes on from the newest whole checkpoint. SIGTERM: finish the step, save, end with status 0 and `status.json` saying
"stopped"; SIGINT is left to the coordinator. Ends when its parent does.
"""

import gc
import os
import signal
import sys
import traceback

from reasonmill.engine.flow.lifeline import die_with_parent
from reasonmill.engine.train.launcher import EXIT_FAULT, EXIT_MISTAKE


def main() -> None:
    """Train as the configuration says; does not return."""
    die_with_parent()
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    asked: list[int] = []
    signal.signal(signal.SIGTERM, lambda number, _: asked.append(number))
    gc.disable()  # until training begins: imports make a million objects that stay
    import argparse

    parser = argparse.ArgumentParser(prog="reasonmill.engine.train.main")
    parser.add_argument("--config", required=True, help="JSON file of a TrainConfig")
    path = parser.parse_args().config
    from reasonmill.engine.train.loop import TrainingFault
    from reasonmill.engine.train.rank import run_rank

    try:
        status = run_rank(path, stop_requested=lambda: bool(asked))
    except ValueError as mistake:
        traceback.print_exc()
        print(f"error: {mistake}", file=sys.stderr)
        status = EXIT_MISTAKE
    except OSError as failure:  # a full disk, say: a new start may fare better
        traceback.print_exc()
        print(f"error: {failure}", file=sys.stderr)
        status = 1
    except TrainingFault as fault:
        print(f"training cannot go on: {fault}", file=sys.stderr)
        status = EXIT_FAULT
    sys.stdout.flush()
    sys.stderr.flush()
    # Everything is on disk. gloo's threads now and then abort a process that tears its interpreter down (torch 2.13).
    os._exit(status)


if __name__ == "__main__":
    main()
