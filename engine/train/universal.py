"""A checkpoint of one number of ranks made ready for another: DeepSpeed's universal form, written beside it.

Rank 0 converts; the others look for the result, since a conversion of hundreds of gigabytes outlasts a collective.
"""

import shutil
import time
from collections.abc import Callable
from pathlib import Path

from reasonmill.engine.train.zero import write_universal

_POLL_S = 0.2


def make_universal(folder: Path, *, rank: int, barrier: Callable[[], None]) -> None:
    """Give the checkpoint `folder` its universal form; collective. Made aside and renamed: whole or not there. One that
    an earlier start left is made anew: nothing says that its bytes are still those that were written.
    """
    form, aside, fault = folder / "universal", folder / ".universal.partial", folder / ".universal.fault"
    if rank == 0:
        fault.unlink(missing_ok=True)
        for left in (form, aside):
            shutil.rmtree(left, ignore_errors=True)
    barrier()
    if rank == 0:
        try:
            write_universal(folder / "state", aside)
            aside.rename(form)
        except BaseException as error:
            fault.write_text(f"{type(error).__name__}: {error}")  # the others would wait for ever
            raise
    while not form.exists():
        if fault.exists():
            raise RuntimeError(
                f"checkpoint {str(folder)!r} could not be made ready for other ranks: {fault.read_text()}"
            )
        time.sleep(_POLL_S)
    barrier()
