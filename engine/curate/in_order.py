"""Pieces of work on several threads, whose results come in the order of the work."""

import os
from collections import deque
from collections.abc import Callable, Generator, Iterable
from concurrent.futures import Future, ThreadPoolExecutor
from typing import TypeVar

Work = TypeVar("Work")
Result = TypeVar("Result")

_AHEAD = 2  # pieces for each thread that are begun before the first of them is taken
_MOST_THREADS = 8  # of all cores: batches of rows cost one thread 2.5 us a query, and the caller, who writes, about 0.6


def in_order(work: Iterable[Work], do: Callable[[Work], Result], num_threads: int) -> Generator[Result, None, None]:
    """`do` of each piece. 0 threads: one for every core, up to 8; 1: this one. Raises what `work` or `do` raises."""
    num_threads = num_threads or min(_MOST_THREADS, len(os.sched_getaffinity(0)))
    if num_threads == 1:
        yield from map(do, work)
        return
    begun: deque[Future[Result]] = deque()
    with ThreadPoolExecutor(num_threads) as pool:
        try:
            for piece in work:
                begun.append(pool.submit(do, piece))
                if len(begun) == _AHEAD * num_threads:
                    yield begun.popleft().result()
            while begun:
                yield begun.popleft().result()
        finally:
            for future in begun:
                future.cancel()
