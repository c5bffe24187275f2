"""A teacher of many replicas. Each request goes, one by one, to the replica that is expected to finish it first, by
what it has open and how fast it was measured; none is given more than it can hold; one that fails is set aside and
tried again after growing pauses. A request ends exactly once: answered, refused, or with a TeacherFault.

A request that a replica turned away before it generated anything goes elsewhere by itself; one that broke off midway
ends with TeacherFault, and its asker decides. Without any replica, callers wait, up to a limit, and go on when one is
back. The only clock is the event loop's, so that all of this runs in virtual time too.
"""

import asyncio
import contextlib
import random
from collections import deque
from collections.abc import Callable, Sequence
from dataclasses import replace

from reasonmill.engine.teachers.faults import NotTaken, TeacherLost
from reasonmill.engine.teachers.protocol import Generation, GenerationRequest, Replica, TeacherFault
from reasonmill.engine.teachers.replica_lane import Lane, ReplicaFigures
from reasonmill.engine.teachers.replica_settings import BalanceSettings

_GUESSED_TOKENS = 2048.0  # of an answer, before the first one came back
_POLLS_FAILED = 3  # in a row, after which a replica is set aside


class _Waiter:
    """A request without a replica. `given` resolves to the lane where its place is already taken."""

    __slots__ = ("expected", "given")

    def __init__(self, expected: float) -> None:
        self.expected = expected
        self.given: asyncio.Future[tuple[Lane, int]] = asyncio.get_running_loop().create_future()


class ReplicaSet:
    """Use as `async with`: its watchers live as long as the block."""

    def __init__(self, name: str, replicas: Sequence[Replica], settings: BalanceSettings | None = None) -> None:
        if not replicas:
            raise ValueError(f"replicas: the teacher {name!r} has none")
        self._name = name
        self._settings = settings or BalanceSettings()
        self._lanes = [Lane(one, self._settings, seed=number) for number, one in enumerate(replicas)]
        self._waiters: deque[_Waiter] = deque()
        self._watchers: list[Callable[[], None]] = []
        self._tasks: list[asyncio.Task[None]] = []
        self._mean_tokens = _GUESSED_TOKENS
        self._answers = 0
        self._last_fault = "no replica has answered yet"
        self._out_since: float | None = None
        self._lost: TeacherLost | None = None
        self._timers: set[asyncio.TimerHandle] = set()
        self._random = random.Random(name)  # spreads the pauses of requests that failed together

    async def __aenter__(self) -> "ReplicaSet":
        self._tasks = [
            asyncio.create_task(self._keep(lane), name=f"watch {self._name} {lane.replica.name}")
            for lane in self._lanes
        ]
        return self

    async def __aexit__(self, *_: object) -> None:
        for task in self._tasks:
            task.cancel()
        await asyncio.gather(*self._tasks, return_exceptions=True)
        for timer in self._timers:
            timer.cancel()
        self._end_waiters(TeacherLost(f"the teacher {self._name} is closed"))

    @property
    def name(self) -> str:
        """Name of the teacher in records and file names."""
        return self._name

    @property
    def max_num_seqs(self) -> int:
        """Requests open now and as many more as there is room for. Never 0: the one that waits while every replica is
        gone is the one that hears of it.
        """
        now = asyncio.get_running_loop().time()
        return max(1, sum(len(lane.batch) + lane.room(now) for lane in self._lanes))

    def watch(self, grown: Callable[[], None]) -> None:
        """Call `grown` in the event loop whenever max_num_seqs has grown."""
        self._watchers.append(grown)

    def nudge(self, replica: Replica) -> None:
        """A replica that was set aside is said to be back: probe it now, whatever its pause."""
        for lane in self._lanes:
            if lane.replica is replica and lane.health.state == "aside":
                lane.health.until = asyncio.get_running_loop().time()
                lane.nudged.set()

    def lose(self, lost: TeacherLost) -> None:
        """It is over: whoever waits, and whoever asks from now on, hears of it."""
        self._lost = lost
        self._end_waiters(lost)

    def figures(self) -> tuple[ReplicaFigures, ...]:
        """Every replica's state, in their order."""
        return tuple(lane.figures() for lane in self._lanes)

    async def generate(self, request: GenerationRequest) -> Generation:
        """Answer once. Cancelling aborts the request. Raises TeacherFault, TeacherLost or RequestRefused."""
        assert self._tasks, "a ReplicaSet answers inside `async with`"
        began = asyncio.get_running_loop().time()
        expected = request.expected_tokens or self._mean_tokens
        if request.max_tokens is not None:
            expected = min(expected, float(request.max_tokens))
        tries = 0
        avoided: Lane | None = None
        while True:
            lane, ticket = await self._place(max(1.0, expected), avoided)
            try:
                return await self._ask(lane, ticket, request)
            except NotTaken as fault:
                if getattr(fault, "final", False):
                    raise
                avoided = lane
                tries += not (fault.crowded or fault.unreachable)  # those are bounded by time
                await self._before_another(began, tries, lane, fault)

    async def _before_another(self, began: float, tries: int, lane: Lane, fault: NotTaken) -> None:
        """Return when the request may be tried again: at once where another replica has room. Raises when not."""
        now = asyncio.get_running_loop().time()
        if now - began > self._settings.outage_limit_s:
            raise TeacherFault(f"every replica of {self._name} turned a request away for too long: {fault}") from fault
        if fault.crowded or fault.unreachable:  # its lane pauses
            return
        pause_s = self._settings.retry.pause_s(tries, draw=self._random.random(), asked_s=fault.asked_s)
        if pause_s is None:
            raise fault
        if not any(other.room(now) for other in self._lanes if other is not lane):
            await asyncio.sleep(pause_s)

    async def _ask(self, lane: Lane, ticket: int, request: GenerationRequest) -> Generation:
        """Ask the lane's replica; whatever comes of it, the place is free afterwards."""
        loop = asyncio.get_running_loop()
        epoch = lane.health.epoch
        try:
            answer = await lane.replica.generate(request)
        except TeacherFault as fault:
            lane.batch.end(loop.time(), ticket)
            lane.failed(loop.time(), fault, epoch=epoch)
            self._last_fault = f"{lane.replica.name}: {fault}"
            self._look_after_pause(lane)
            raise
        except BaseException:  # cancelled, or refused
            lane.batch.end(loop.time(), ticket)
            raise
        else:
            before = lane.limit.value
            lane.answered(loop.time(), ticket, answer)
            self._learn(lane, answer)
            if lane.limit.value > before:
                self._grown()
            return answer if answer.replica else replace(answer, replica=lane.replica.name)
        finally:
            self._hand_out()

    async def _place(self, expected: float, avoided: Lane | None = None) -> tuple[Lane, int]:
        """A place in the batch of the replica that would finish first, `avoided` only if it is the one with room; waits
        for one behind those that wait.
        """
        now = asyncio.get_running_loop().time()
        if not self._waiters and (lane := self._choose(now, expected, avoided)) is not None:
            return lane, lane.start(now, expected)
        if self._lost is not None:
            raise TeacherLost(str(self._lost))
        waiter = _Waiter(expected)
        self._waiters.append(waiter)
        self._watch_for_outage()
        try:
            return await waiter.given
        except asyncio.CancelledError:
            if waiter.given.done() and not waiter.given.cancelled() and waiter.given.exception() is None:
                lane, ticket = waiter.given.result()
                lane.batch.end(asyncio.get_running_loop().time(), ticket)
                self._hand_out()
            elif waiter in self._waiters:
                self._waiters.remove(waiter)
            raise

    def _choose(self, now: float, expected: float, avoided: Lane | None = None) -> Lane | None:
        best, best_s = None, float("inf")
        for lane in self._lanes:
            if lane is not avoided and lane.room(now):
                finish_s = lane.batch.finish_s(now, expected)
                if finish_s < best_s:
                    best, best_s = lane, finish_s
        if best is None and avoided is not None and avoided.room(now):
            return avoided
        return best

    def _hand_out(self) -> None:
        """Give free places to those that wait, the first first."""
        if not self._waiters:
            return
        now = asyncio.get_running_loop().time()
        while self._waiters:
            waiter = self._waiters[0]
            if not waiter.given.done():
                lane = self._choose(now, waiter.expected)
                if lane is None:
                    return
                waiter.given.set_result((lane, lane.start(now, waiter.expected)))
            self._waiters.popleft()

    def _learn(self, lane: Lane, answer: Generation) -> None:
        self._answers += 1
        self._mean_tokens += max(0.02, 1.0 / self._answers) * (answer.completion_tokens - self._mean_tokens)
        for other in self._lanes:
            if not other.pace.known:
                other.pace.guess(lane.pace)

    def _grown(self) -> None:
        self._hand_out()
        for grown in self._watchers:
            grown()

    def _look_after_pause(self, lane: Lane) -> None:
        """Look for room on a replica again when the pause that it asked for is over."""
        loop = asyncio.get_running_loop()
        at = lane.health.until
        if lane.health.state == "aside" or at <= max(loop.time(), lane.looks_at):
            return
        lane.looks_at = at

        def look() -> None:
            self._timers.discard(timer)
            self._grown()

        timer = loop.call_at(at, look)
        self._timers.add(timer)

    def _watch_for_outage(self) -> None:
        """Callers wait: start or stop the clock of an outage."""
        loop = asyncio.get_running_loop()
        if any(lane.health.state != "aside" for lane in self._lanes):
            self._out_since = None
            return
        if self._out_since is None:
            self._out_since = loop.time()
        left = self._out_since + self._settings.outage_limit_s - loop.time()
        if left <= 0.0:
            limit_s = self._settings.outage_limit_s
            lost = f"no replica of {self._name} came back in {limit_s:g} s; the last fault: {self._last_fault}"
            self._end_waiters(TeacherLost(lost))

    def _end_waiters(self, lost: TeacherLost) -> None:
        while self._waiters:
            waiter = self._waiters.popleft()
            if not waiter.given.done():
                waiter.given.set_exception(lost)

    async def _keep(self, lane: Lane) -> None:
        """Watch one replica: its load while it is well, probes while it is aside, growing trust while on trial."""
        loop = asyncio.get_running_loop()
        while True:
            if lane.health.state == "taking" and lane.tells_load is False:
                lane.disturbed.clear()
                await lane.disturbed.wait()
            aside = lane.health.state == "aside"
            wait_s = max(0.0, lane.health.until - loop.time()) if aside else self._settings.poll_s
            with contextlib.suppress(TimeoutError):
                await asyncio.wait_for(lane.nudged.wait(), wait_s)
            lane.nudged.clear()
            if aside and lane.health.state == "aside" and loop.time() >= lane.health.until:
                await self._probe(lane)
            elif not aside and lane.health.state != "aside":
                await self._poll(lane)
            self._watch_for_outage()

    async def _probe(self, lane: Lane) -> None:
        try:
            async with asyncio.timeout(self._settings.probe_limit_s):
                await lane.replica.load()
        except (TeacherFault, TimeoutError) as fault:
            lane.health.set_aside(asyncio.get_running_loop().time())
            self._last_fault = f"{lane.replica.name}: {fault or 'does not tell its load in time'}"
        else:
            lane.polls_failed = 0
            lane.health.put_on_trial()
            self._grown()

    async def _poll(self, lane: Lane) -> None:
        loop = asyncio.get_running_loop()
        before = lane.room(loop.time())
        if lane.health.state == "trial":
            lane.health.went_well(limit=lane.limit.value)
        if lane.tells_load is not False and (len(lane.batch) or lane.tells_load is None):
            try:
                async with asyncio.timeout(self._settings.probe_limit_s):
                    load = await lane.replica.load()
                lane.polled(loop.time(), load)
                lane.polls_failed = 0
            except (TeacherFault, TimeoutError) as fault:
                self._poll_failed(lane, fault)
        if lane.room(loop.time()) > before:
            self._grown()

    def _poll_failed(self, lane: Lane, fault: Exception) -> None:
        """Requests that are open on it go on: they have a stall limit of their own."""
        lane.polls_failed += 1
        if lane.polls_failed >= _POLLS_FAILED and lane.health.state != "aside":
            self._last_fault = f"{lane.replica.name}: {fault or 'does not tell its load in time'}"
            lane.health.set_aside(asyncio.get_running_loop().time())
            self._watch_for_outage()
