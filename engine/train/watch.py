"""The trainer's end, or the end of waiting for it: a rank that stands still (stopped, or hung in a collective) holds up
all the others and says nothing, so a trainer that gives no sign of life for long enough is killed.
"""

import asyncio
import time
from collections.abc import Sequence
from pathlib import Path

from reasonmill.engine.train.launcher import TrainerProcess

_LOOK_EVERY_S = 1.0


async def wait_watched(trainer: TrainerProcess, signs: Sequence[Path], limit_s: float) -> int | None:
    """Exit status of the trainer; None where none of the files `signs` changed for `limit_s` and it was killed.

    Its signs are its log, in which rank 0 says every 15 s what it waits for, and the figures of each step.
    """
    ending = asyncio.ensure_future(trainer.wait())
    pause_s = min(_LOOK_EVERY_S, limit_s / 4)
    seen, silent_s = _state(signs), 0.0
    try:
        while not ending.done():
            looked = time.monotonic()
            await asyncio.wait((ending,), timeout=pause_s)
            silent_s += min(time.monotonic() - looked, 2 * pause_s)  # not the time for which this process stood still
            now = _state(signs)
            if now != seen:
                seen, silent_s = now, 0.0
            elif silent_s > limit_s and not ending.done():
                trainer.kill()
                await ending
                return None
        return ending.result()
    finally:
        ending.cancel()


def _state(signs: Sequence[Path]) -> list[tuple[int, int] | None]:
    found: list[tuple[int, int] | None] = []
    for path in signs:
        try:
            status = path.stat()
        except FileNotFoundError:
            found.append(None)
        else:
            found.append((status.st_size, status.st_mtime_ns))
    return found
