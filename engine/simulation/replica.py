"""A simulated replica on the event loop's clock: real time, or virtual time under `run_virtual`. It answers what the
answer model says, when a server with its batch would have; it dies, hangs and refuses as its faults say.
"""

import asyncio
import itertools
from dataclasses import dataclass

from reasonmill.engine.simulation.answers import Answer, AnswerModel
from reasonmill.engine.simulation.batch import NEVER, Batch
from reasonmill.engine.simulation.faults import Mishaps, RequestFault
from reasonmill.engine.simulation.settings import FaultSettings, SimulationSettings
from reasonmill.engine.teachers.faults import NotTaken
from reasonmill.engine.teachers.protocol import Generation, GenerationRequest, ReplicaLoad, TeacherFault


@dataclass(kw_only=True, slots=True)
class Ticket:
    """An open request. `ended` gets True when its tokens are there, and raises TeacherFault when the replica dies."""

    id: int
    ended: asyncio.Future[bool]


class SimulatedReplica:
    """One server of a simulated teacher. Make it inside the running event loop; its life begins then."""

    def __init__(self, name: str, *, answers: AnswerModel, settings: SimulationSettings, max_num_seqs: int) -> None:
        """`max_num_seqs` requests run at once, more of them wait."""
        self._loop = asyncio.get_running_loop()
        self._name = name
        self._answers = answers
        self._speed_up = settings.speed_up
        self._max_num_seqs = max_num_seqs
        self._batch = Batch(settings.speed, max_num_seqs=max_num_seqs)
        self._retry_after_s = settings.faults.retry_after_s
        self._mishaps = Mishaps(settings.faults, seed=settings.seed, replica=name)
        self._outages = self._mishaps.outages()
        self._death, self._return = next(self._outages, (NEVER, NEVER))
        self._down_until = 0.0
        self._began = self._loop.time()
        self._tickets: dict[int, Ticket] = {}
        self._ids = itertools.count()
        self._timer: asyncio.TimerHandle | None = None
        self._stale = False
        self.deaths = 0

    @property
    def name(self) -> str:
        """Its name, for logs and figures."""
        return self._name

    @property
    def max_num_seqs(self) -> int:
        """The most requests that run at once."""
        return self._max_num_seqs

    @property
    def batch(self) -> Batch:
        """Its batch, as of the last event; `settle` brings it to now."""
        return self._batch

    @property
    def down_s(self) -> float:
        """Seconds until it is back; 0 for one that is up."""
        self.settle()
        return max(0.0, self._down_until - self._now()) / self._speed_up

    async def generate(self, request: GenerationRequest) -> Generation:
        """Answer once. Cancelling the task aborts the request. Raises NotTaken or TeacherFault."""
        began = self._loop.time()
        answer = self._answers.answer(request)
        fault = self.mishap(request)
        if fault is not None and fault.kind != "drop":
            await self._fail(fault)
        share = 1.0 if fault is None else fault.share
        ticket = self.open(answer, share=share)
        try:
            await ticket.ended
        finally:
            self.close(ticket)
        if fault is not None:
            raise TeacherFault(f"{self._name}: the connection broke after {100 * share:.0f} % of the answer")
        return Generation(
            text=answer.text,
            finish_reason=answer.finish_reason,
            prompt_tokens=answer.prompt_tokens,
            completion_tokens=answer.tokens,
            duration_s=self._loop.time() - began,
            replica=self._name,
            saved_tokens=answer.saved_tokens,
        )

    async def load(self) -> ReplicaLoad | None:
        """How full it is. Raises NotTaken while it is down."""
        if self.down_s > 0.0:
            raise NotTaken(f"{self._name}: connection refused", unreachable=True)
        batch = self._batch
        return ReplicaLoad(running=batch.running, waiting=batch.waiting, kv_cache_usage=batch.kv_cache_usage)

    def mishap(self, request: GenerationRequest) -> RequestFault | None:
        """What happens to this request on its way; drawn anew each time that it has failed here."""
        return self._mishaps.of_request(request.messages[-1].content, request.seed)

    def change_faults(self, faults: FaultSettings) -> None:
        """Other rates from now on, for faults of requests."""
        self._mishaps.change(faults)

    def die(self, down_s: float) -> None:
        """Die now, whatever its faults say, and be back after `down_s` seconds."""
        self.settle()
        self._fail_all()
        self._down_until = max(self._down_until, self._now() + down_s * self._speed_up)
        self._rearm()

    def open(self, answer: Answer, *, share: float = 1.0) -> Ticket:
        """Begin to answer: `share` of the tokens. Raises NotTaken while the replica is down."""
        if self.down_s > 0.0:
            raise NotTaken(f"{self._name}: connection refused", unreachable=True)
        ticket = Ticket(id=next(self._ids), ended=self._loop.create_future())
        self._tickets[ticket.id] = ticket
        tokens = max(1, round(answer.tokens * share))
        self._batch.add(ticket.id, prompt_tokens=answer.prompt_tokens, tokens=tokens)
        self._rearm()
        return ticket

    def close(self, ticket: Ticket) -> None:
        """Forget a request; one that is still open is aborted."""
        self.settle()  # which may end it, or all
        if self._tickets.pop(ticket.id, None) is not None:
            self._batch.remove(ticket.id)
            self._rearm()
        if ticket.ended.done() and not ticket.ended.cancelled():
            ticket.ended.exception()  # a death that nobody awaited any more is no news
        ticket.ended.cancel()

    def progress(self, ticket: Ticket) -> float:
        """Tokens of an open answer so far."""
        self.settle()
        return self._batch.progress(ticket.id) if ticket.id in self._tickets else NEVER

    def settle(self) -> None:
        """Let everything happen that is due by now."""
        now = self._now()
        while self._death <= now:
            self._end(self._batch.advance(self._death))
            self._die()
        self._end(self._batch.advance(now))

    async def _fail(self, fault: RequestFault) -> None:
        if fault.kind == "hang":
            await self._loop.create_future()
        if fault.kind == "busy":
            raise NotTaken(f"{self._name}: 429", asked_s=self._retry_after_s, crowded=True)
        if fault.kind == "error":
            raise NotTaken(f"{self._name}: 500")
        raise TeacherFault(f"{self._name}: {fault.kind} answer")

    def _now(self) -> float:
        return (self._loop.time() - self._began) * self._speed_up

    def _end(self, ended: list[tuple[float, int]]) -> None:
        for _, id in ended:
            ticket = self._tickets.pop(id)
            if not ticket.ended.done():
                ticket.ended.set_result(True)

    def _die(self) -> None:
        self._fail_all()
        self._down_until = max(self._down_until, self._return)
        self._death, self._return = next(self._outages, (NEVER, NEVER))

    def _fail_all(self) -> None:
        self.deaths += 1
        self._batch.clear()
        for ticket in self._tickets.values():
            if not ticket.ended.done():
                ticket.ended.set_exception(TeacherFault(f"{self._name}: died"))
        self._tickets.clear()

    def _rearm(self) -> None:
        """Have the timer set anew once the loop is done with what is ready."""
        if not self._stale:
            self._stale = True
            self._loop.call_soon(self._set_timer)

    def _set_timer(self) -> None:
        self._stale = False
        if self._timer is not None:
            self._timer.cancel()
            self._timer = None
        if self._tickets:
            due = min(self._batch.next_event(), self._death)
            self._timer = self._loop.call_at(self._began + due / self._speed_up, self._fire, due)

    def _fire(self, due: float) -> None:
        self._timer = None
        if due > self._now():  # the clock's last bit
            self._end(self._batch.advance(due))
        self.settle()
        self._set_timer()


def open_replicas(
    settings: SimulationSettings, *, teacher: str, max_num_seqs: int, max_tokens: int
) -> list[SimulatedReplica]:
    """The replicas of one simulated teacher, named `TEACHER-0` on. Raises ValueError for a missing file of answers."""
    answers = AnswerModel(settings, teacher=teacher, max_tokens=max_tokens)
    names = [f"{teacher}-{number}" for number in range(settings.replicas)]
    return [SimulatedReplica(one, answers=answers, settings=settings, max_num_seqs=max_num_seqs) for one in names]
