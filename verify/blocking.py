"""The verifier pool for threads and plain loops: an event loop of its own in one background thread, which any number of
threads may use at once.
"""

import asyncio
import threading
from collections import deque
from collections.abc import Iterable, Iterator
from concurrent.futures import FIRST_COMPLETED, Future, wait
from types import TracebackType

from reasonmill.verify.pool import VerifierPool
from reasonmill.verify.request import VerifyRequest
from reasonmill.verify.settings import VerifySettings
from reasonmill.verify.verdict import Verdict

_MAX_OPEN = 256


class BlockingPool:
    """`with BlockingPool(settings) as pool: verdict = pool.verify(request)`."""

    def __init__(self, settings: VerifySettings | None = None) -> None:
        self._settings = settings or VerifySettings()
        self._loop: asyncio.AbstractEventLoop
        self._thread: threading.Thread
        self._pool: VerifierPool | None = None
        self._checks: set[asyncio.Task[Verdict]] = set()

    def __enter__(self) -> "BlockingPool":
        self._loop = asyncio.new_event_loop()
        self._thread = threading.Thread(target=self._loop.run_forever, name="verifier-pool", daemon=True)
        self._thread.start()
        self._pool = asyncio.run_coroutine_threadsafe(self._open(), self._loop).result()
        return self

    async def _open(self) -> VerifierPool:
        return await VerifierPool(self._settings).__aenter__()

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        pool, self._pool = self._pool, None
        assert pool is not None, "left once"
        asyncio.run_coroutine_threadsafe(self._close(pool), self._loop).result()
        self._loop.call_soon_threadsafe(self._loop.stop)
        self._thread.join()
        self._loop.close()

    async def _close(self, pool: VerifierPool) -> None:
        for task in self._checks:
            task.cancel()
        await asyncio.gather(*self._checks, return_exceptions=True)
        await pool.__aexit__(None, None, None)

    async def _check(self, pool: VerifierPool, request: VerifyRequest) -> Verdict:
        task = asyncio.current_task()
        assert task is not None, "runs as a task of the loop"
        self._checks.add(task)
        try:
            return await pool.verify(request)
        finally:
            self._checks.discard(task)

    def submit(self, request: VerifyRequest) -> "Future[Verdict]":
        """A future of the verdict; cancelling it kills the check. Raises RuntimeError outside the `with` block."""
        if self._pool is None:
            raise RuntimeError("the pool is not open: use it as `with BlockingPool(settings) as pool`")
        return asyncio.run_coroutine_threadsafe(self._check(self._pool, request), self._loop)

    def verify(self, request: VerifyRequest) -> Verdict:
        """The verdict."""
        return self.submit(request).result()

    def verify_all(
        self, requests: Iterable[VerifyRequest], *, in_order: bool = True, max_open: int = _MAX_OPEN
    ) -> Iterator[tuple[VerifyRequest, Verdict]]:
        """Each request with its verdict, in the order of the requests or as they come."""
        opened: deque[tuple[VerifyRequest, Future[Verdict]]] = deque()
        try:
            for request in requests:
                opened.append((request, self.submit(request)))
                while len(opened) >= max_open:
                    yield _next(opened, in_order=in_order)
            while opened:
                yield _next(opened, in_order=in_order)
        finally:
            for _, future in opened:
                future.cancel()


def _next(opened: "deque[tuple[VerifyRequest, Future[Verdict]]]", *, in_order: bool) -> tuple[VerifyRequest, Verdict]:
    if not in_order:
        done, _ = wait([future for _, future in opened], return_when=FIRST_COMPLETED)
        place = next(number for number, (_, future) in enumerate(opened) if future in done)
        opened.rotate(-place)
    request, future = opened[0]
    verdict = future.result()
    opened.popleft()
    return request, verdict
