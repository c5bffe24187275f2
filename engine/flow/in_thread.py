"""Work in a thread that is never left behind: whoever waits for it and is cancelled goes on only when it has ended, so
that nothing is written behind the back of those who come next.
"""

import asyncio
from collections.abc import Callable
from contextlib import suppress
from functools import partial
from typing import Any, TypeVar

Result = TypeVar("Result")


async def in_thread(work: Callable[..., Result], *values: Any) -> Result:
    """The result of `work`, done in a thread."""
    future = asyncio.get_running_loop().run_in_executor(None, partial(work, *values))
    try:
        return await asyncio.shield(future)
    except asyncio.CancelledError:
        while not future.done():
            with suppress(asyncio.CancelledError):
                await asyncio.wait([future])
        if not future.cancelled():
            future.exception()  # told to nobody: the cancellation is what is heard
        raise
