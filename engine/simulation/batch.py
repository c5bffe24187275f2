"""Continuous batching as a queue with shared service: every running request gains one token a step, and a step's time
follows from what runs. Exact to the next event (an end, a crossing of the crowding line, a full KV cache), O(log n)
for each.

Requests wait in order of arrival for a place and for KV cache; when the cache is full the youngest goes back to the
head of the waiting ones and has its context to compute again, as in vLLM.
"""

import heapq
from collections import OrderedDict
from dataclasses import dataclass

from reasonmill.engine.simulation.settings import SpeedSettings
from reasonmill.engine.simulation.speed import Speed, speed, steps_within, stretch_s

_EPSILON = 1e-7  # steps within which two events are one
NEVER = float("inf")


@dataclass(kw_only=True, slots=True)
class _Open:
    prompt_tokens: int
    tokens: int  # of the whole answer
    done: float = 0.0  # tokens when it was last let in
    entered: float = -1.0  # the batch's step counter after its prefill; -1 while it waits
    held: float = 0.0  # context in the KV cache, less the step counter: both grow by one a step
    order: int = 0  # of entries into the batch


class Batch:
    """One replica's requests, by id. Time only moves in `advance`."""

    def __init__(self, settings: SpeedSettings, *, max_num_seqs: int) -> None:
        self._speed: Speed = speed(settings)
        self._prefill_tokens = settings.prefill_tokens
        self._kv_cache_tokens = settings.kv_cache_tokens
        self._crowded_tokens = settings.crowded_at * settings.kv_cache_tokens
        self._max_num_seqs = max_num_seqs
        self._running: dict[int, _Open] = {}
        self._waiting: OrderedDict[int, _Open] = OrderedDict()
        self._ends: list[tuple[float, int, int]] = []  # (step counter at the end, order, id), removed ones left in
        self._steps = 0.0  # of this replica since it began
        self._tokens = 0.0  # of context that running requests hold
        self._entries = 0
        self._next: float | None = NEVER  # None: to be worked out
        self.now = 0.0
        self._left_tokens = 0.0  # generated for requests that are not running any more
        self.prefilled = 0  # prompt tokens, and contexts computed again
        self.preempted = 0

    @property
    def running(self) -> int:
        """Requests in the batch."""
        return len(self._running)

    @property
    def waiting(self) -> int:
        """Requests without a place in the batch."""
        return len(self._waiting)

    @property
    def generated(self) -> int:
        """Tokens generated since it began, those that nobody got included."""
        return round(self._left_tokens + sum(self._gained(one) - one.done for one in self._running.values()))

    @property
    def kv_cache_usage(self) -> float:
        """Share of the KV cache in use."""
        return min(1.0, self._tokens / self._kv_cache_tokens)

    def add(self, id: int, *, prompt_tokens: int, tokens: int) -> None:
        """Begin, now, an answer of so many tokens."""
        assert id not in self._running, f"request {id} is open already"
        self._waiting[id] = _Open(prompt_tokens=prompt_tokens, tokens=tokens)
        self._admit()

    def remove(self, id: int) -> None:
        """Forget a request, now; unknown ids are ignored."""
        if self._waiting.pop(id, None) is None and id in self._running:
            self._leave(id)
            self._admit()

    def clear(self) -> None:
        """Forget all requests, now."""
        for id in list(self._running):
            self._leave(id)
        self._waiting.clear()
        self._ends.clear()
        self._tokens = 0.0
        self._next = NEVER

    def progress(self, id: int) -> float:
        """Tokens of an open answer so far."""
        one = self._running.get(id) or self._waiting[id]
        return one.done if one.entered < 0 else self._gained(one)

    def next_event(self) -> float:
        """When something will happen if nothing is added or removed; infinity when nothing will."""
        if not self._running:
            return NEVER
        if self._next is None:
            step, growth, steps = self._stretch()
            self._next = self.now + stretch_s(step, growth, steps)
        return self._next

    def advance(self, until: float) -> list[tuple[float, int]]:
        """Move to `until`; returns (time, id) of every answer that ended on the way, in order."""
        ended: list[tuple[float, int]] = []
        while self._running and self.next_event() <= until:
            _, _, steps = self._stretch()
            self._step(steps, self.next_event())
            while self._ends and self._ends[0][0] <= self._steps + _EPSILON:
                _, order, id = heapq.heappop(self._ends)
                one = self._running.get(id)
                if one is not None and one.order == order:
                    self._leave(id)
                    ended.append((self.now, id))
            while self._tokens >= self._kv_cache_tokens - 0.5 and len(self._running) > 1:
                self._preempt()
            self._admit()
        if until > self.now:
            if self._running:
                step, growth, _ = self._stretch()
                known, self._next = self._next, None
                self._step(steps_within(step, growth, until - self.now), until)
                self._next = known
            self.now = until
        return ended

    def _stretch(self) -> tuple[float, float, float]:
        """Time of the step to come, its growth, and the number of steps until something happens."""
        running = len(self._running)
        while True:  # requests that left lie in the heap until they come up
            end, order, id = self._ends[0]
            one = self._running.get(id)
            if one is not None and one.order == order:
                break
            heapq.heappop(self._ends)
        crowded = self._tokens >= self._crowded_tokens
        limit = self._kv_cache_tokens if crowded else self._crowded_tokens
        steps = max(end - self._steps, 0.0)
        if not crowded or running > 1:
            steps = min(steps, max((limit - self._tokens) / running, 0.0) + _EPSILON)
        step = self._speed.step_s(running, self._tokens, crowded=crowded)
        return step, self._speed.growth_s(running, crowded=crowded), steps

    def _step(self, steps: float, now: float) -> None:
        self._steps += steps
        self._tokens += steps * len(self._running)
        self.now = now
        self._next = None

    def _gained(self, one: _Open) -> float:
        return one.done + max(0.0, self._steps - one.entered)

    def _admit(self) -> None:
        """Let waiting requests in while there is a place and room for what they hold now."""
        while self._waiting and len(self._running) < self._max_num_seqs:
            id, one = next(iter(self._waiting.items()))
            held = one.prompt_tokens + one.done
            if self._running and self._tokens + held > self._crowded_tokens:
                break
            del self._waiting[id]
            self._entries += 1
            prefill = held / self._prefill_tokens
            one.entered, one.order = self._steps + prefill, self._entries
            one.held = held - self._steps
            self._running[id] = one
            self._tokens += held
            self.prefilled += round(held)
            heapq.heappush(self._ends, (one.entered + one.tokens - one.done, one.order, id))
        self._next = None

    def _leave(self, id: int) -> _Open:
        one = self._running.pop(id)
        gained = self._gained(one)
        self._left_tokens += gained - one.done
        one.done = gained
        self._tokens = max(0.0, self._tokens - one.held - self._steps) if self._running else 0.0
        self._next = None
        return one

    def _preempt(self) -> None:
        id = next(reversed(self._running))
        one = self._leave(id)
        one.entered = -1.0
        self._waiting[id] = one
        self._waiting.move_to_end(id, last=False)
        self.preempted += 1
