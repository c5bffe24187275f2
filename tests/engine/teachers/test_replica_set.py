"""Laws of a teacher of many replicas, in virtual time."""

import asyncio
from collections.abc import Callable, Coroutine
from dataclasses import dataclass, field
from typing import Any

import pytest

from reasonmill.engine.records import Message
from reasonmill.engine.teachers.faults import NotTaken, TeacherLost
from reasonmill.engine.teachers.protocol import (
    Generation,
    GenerationRequest,
    ReplicaLoad,
    RequestRefused,
    TeacherFault,
)
from reasonmill.engine.teachers.replica_set import ReplicaSet
from reasonmill.engine.teachers.replica_settings import BalanceSettings

Run = Callable[[Coroutine[Any, Any, Any]], Any]
LONG = "long"


@dataclass
class Server:
    """A replica whose step takes `base_s + slope_s n` seconds and whose answers are `expected_tokens` long."""

    name: str
    max_num_seqs: int = 256
    base_s: float = 0.02
    slope_s: float = 0.001
    kv_tokens: int | None = None  # None: it tells no load
    most: int | None = None  # turned away above
    fault: Exception | None = None
    probe_fault: Exception | None = None
    open_now: int = 0
    peak: int = 0
    held: float = 0.0
    finished: list[str] = field(default_factory=list)
    seen: int = 0
    probes: list[float] = field(default_factory=list)

    async def generate(self, request: GenerationRequest) -> Generation:
        self.seen += 1
        loop = asyncio.get_running_loop()
        if self.fault is not None:
            await asyncio.sleep(0.01)
            raise self.fault
        if self.most is not None and self.open_now >= self.most:
            raise NotTaken("429", crowded=True)
        self.open_now += 1
        self.peak = max(self.peak, self.open_now)
        began = loop.time()
        made = 0.0
        tokens = request.expected_tokens or 100.0
        try:
            while made < tokens:
                if self.fault is not None:
                    raise TeacherFault("broke off midway")
                chunk = min(50.0, tokens - made)
                await asyncio.sleep(chunk * (self.base_s + self.slope_s * self.open_now))
                made += chunk
                self.held += chunk
        finally:
            self.held -= made
            self.open_now -= 1
        self.finished.append(request.query_id)
        return Generation(
            text="x",
            finish_reason="stop",
            prompt_tokens=10,
            completion_tokens=int(tokens),
            duration_s=loop.time() - began,
        )

    async def load(self) -> ReplicaLoad | None:
        self.probes.append(asyncio.get_running_loop().time())
        if self.probe_fault is not None:
            raise self.probe_fault
        if self.kv_tokens is None:
            return None
        return ReplicaLoad(running=self.open_now, waiting=0, kv_cache_usage=min(1.0, self.held / self.kv_tokens))


def request(id: str | int, tokens: float | None = 100.0) -> GenerationRequest:
    return GenerationRequest(
        query_id=str(id), number=1, seed=1, messages=(Message(role="user", content="?"),), expected_tokens=tokens
    )


async def ask_until_answered(teacher: ReplicaSet, asked: GenerationRequest) -> Generation:
    """What an asker does with a fault: ask again."""
    for _ in range(50):
        try:
            return await teacher.generate(asked)
        except TeacherFault as fault:
            if getattr(fault, "final", False):
                raise
            await asyncio.sleep(0.5)
    raise AssertionError("fifty faults in a row")


async def drive(teacher: ReplicaSet, requests: list[GenerationRequest]) -> list[Generation]:
    """Keep the teacher as full as it says that it can be, until all are answered."""
    more = asyncio.Event()
    teacher.watch(more.set)
    waiting = list(reversed(requests))
    tasks: set[asyncio.Task[Generation]] = set()
    answers: list[Generation] = []
    while waiting or tasks:
        while waiting and len(tasks) < teacher.max_num_seqs:
            tasks.add(asyncio.ensure_future(ask_until_answered(teacher, waiting.pop())))
        more.clear()
        grown = asyncio.ensure_future(more.wait())
        done, _ = await asyncio.wait({*tasks, grown}, return_when=asyncio.FIRST_COMPLETED)
        grown.cancel()
        answers += [task.result() for task in done & tasks]
        tasks -= done
    return answers


def test_equal_replicas_get_equal_shares(run_virtually: Run) -> None:
    async def work() -> None:
        servers = [Server(str(i)) for i in range(4)]
        async with ReplicaSet("t", servers) as teacher:
            answers = await drive(teacher, [request(i) for i in range(800)])
        assert len(answers) == 800
        assert max(len(s.finished) for s in servers) <= 1.15 * min(len(s.finished) for s in servers)

    run_virtually(work())


def test_a_replica_of_a_third_of_the_speed_gets_fewer_requests(run_virtually: Run) -> None:
    async def work() -> None:
        fast = Server("fast", max_num_seqs=32)
        slow = Server("slow", max_num_seqs=32, base_s=0.06, slope_s=0.003)
        async with ReplicaSet("t", [fast, slow]) as teacher:
            await asyncio.gather(*(teacher.generate(request(i)) for i in range(20)))
            fast.finished.clear()
            slow.finished.clear()
            asked = []
            for i in range(400):  # with room on both: 16 open at a time
                asked.append(asyncio.ensure_future(teacher.generate(request(i))))
                if len(asked) >= 16:
                    await asyncio.wait({one for one in asked if not one.done()}, return_when=asyncio.FIRST_COMPLETED)
                    asked = [one for one in asked if not one.done()]
            await asyncio.gather(*asked)
        assert len(fast.finished) > 2 * len(slow.finished)

    run_virtually(work())


def test_a_long_request_goes_where_least_is_left_to_do(run_virtually: Run) -> None:
    async def work() -> None:
        servers = [Server("a"), Server("b")]
        async with ReplicaSet("t", servers) as teacher:
            tasks = [asyncio.ensure_future(teacher.generate(request(i, 4000.0 if i % 2 else 50.0))) for i in range(12)]
            await asyncio.sleep(3)  # the short ones are done
            assert [server.open_now for server in servers] == [3, 3]
            for task in tasks[3::4]:  # long ones, all on one replica or not: what counts is where least is left
                task.cancel()
            await asyncio.sleep(0)
            free, full = sorted(servers, key=lambda server: server.open_now)
            before = free.seen
            tasks.append(asyncio.ensure_future(teacher.generate(request(LONG, 9000.0))))
            await asyncio.sleep(1)
            assert (free.open_now < full.open_now) or free.seen == before + 1
            await asyncio.gather(*tasks, return_exceptions=True)

    run_virtually(work())


def test_no_replica_is_ever_given_more_than_its_most(run_virtually: Run) -> None:
    async def work() -> None:
        servers = [Server("a", max_num_seqs=5), Server("b", max_num_seqs=9)]
        async with ReplicaSet("t", servers) as teacher:
            await asyncio.gather(*(teacher.generate(request(i)) for i in range(100)))
            assert teacher.max_num_seqs == 14
        assert [s.peak for s in servers] == [5, 9]

    run_virtually(work())


def test_the_limit_follows_the_room_in_the_kv_cache(run_virtually: Run) -> None:
    async def work() -> None:
        roomy = Server("roomy", kv_tokens=10**9)
        tight = Server("tight", kv_tokens=40_000)
        async with ReplicaSet("t", [roomy, tight]) as teacher:
            await drive(teacher, [request(i, 1500.0 + i % 1000) for i in range(900)])
            limits = {one.name: one.limit for one in teacher.figures()}
        assert limits["roomy"] == 256
        assert 20 <= limits["tight"] <= 60  # 40,000 tokens of answers that hold 1,000 on average

    run_virtually(work())


def test_a_replica_that_tells_nothing_is_filled_until_more_would_not_pay(run_virtually: Run) -> None:
    async def work() -> None:
        flat, steep = Server("flat", slope_s=0.00001, max_num_seqs=512), Server("steep", slope_s=0.02, max_num_seqs=512)
        for server in (flat, steep):
            async with ReplicaSet("t", [server], BalanceSettings(initial_num_seqs=8)) as teacher:
                await drive(teacher, [request(i) for i in range(3000)])
        assert flat.peak > 60
        assert steep.peak < 30

    run_virtually(work())


def test_a_replica_that_turns_requests_away_is_given_what_it_takes(run_virtually: Run) -> None:
    async def work() -> None:
        server = Server("s", most=10)
        async with ReplicaSet("t", [server], BalanceSettings(initial_num_seqs=64)) as teacher:
            answers = await drive(teacher, [request(i) for i in range(500)])
            turned_away = teacher.figures()[0].turned_away
        assert len(answers) == 500
        assert sorted(server.finished) == sorted({str(i) for i in range(500)})
        assert turned_away < 150

    run_virtually(work())


def test_a_replica_that_dies_loses_its_requests_to_the_others_and_nothing_is_answered_twice(run_virtually: Run) -> None:
    async def work() -> None:
        servers = [Server(str(i)) for i in range(3)]

        async def kill() -> None:
            await asyncio.sleep(10)
            servers[0].fault = servers[0].probe_fault = NotTaken("refused", unreachable=True)

        async with ReplicaSet("t", servers) as teacher:
            killing = asyncio.ensure_future(kill())
            answers = await drive(teacher, [request(i) for i in range(900)])
            await killing
            states = [one.health for one in teacher.figures()]
        assert len(answers) == 900
        assert sorted(id for server in servers for id in server.finished) == sorted(str(i) for i in range(900))
        assert states == ["aside", "taking", "taking"]

    run_virtually(work())


def test_a_dead_replica_is_probed_with_growing_pauses_and_used_again_when_it_is_back(run_virtually: Run) -> None:
    async def work() -> None:
        server, other = Server("s"), Server("o")
        dead = NotTaken("refused", unreachable=True)
        server.fault = server.probe_fault = dead
        async with ReplicaSet("t", [server, other], BalanceSettings(poll_s=1.0)) as teacher:
            await drive(teacher, [request(i) for i in range(64)])
            server.probes.clear()
            await asyncio.sleep(300)
            pauses = [b - a for a, b in zip(server.probes, server.probes[1:], strict=False)]
            assert 10 < len(pauses) < 30
            assert max(pauses) <= 31
            assert pauses[-1] > 10
            server.fault = server.probe_fault = None
            await asyncio.sleep(60)
            await drive(teacher, [request(i) for i in range(64)])
            assert len(server.finished) > 20

    run_virtually(work())


def test_a_replica_that_answers_probes_but_fails_requests_is_kept_aside(run_virtually: Run) -> None:
    async def work() -> None:
        ill, well = Server("ill"), Server("well")
        ill.fault = NotTaken("500")
        async with ReplicaSet("t", [ill, well]) as teacher:
            answers = await drive(teacher, [request(i) for i in range(1000)])
        assert len(answers) == 1000
        assert ill.seen < 60

    run_virtually(work())


def test_one_poisonous_request_does_not_take_the_replicas_from_the_others(run_virtually: Run) -> None:
    class Picky(Server):
        async def generate(self, request: GenerationRequest) -> Generation:
            if request.query_id == "poison":
                raise NotTaken("500 on this one")
            return await super().generate(request)

    async def work() -> None:
        servers = [Picky("a"), Picky("b")]
        async with ReplicaSet("t", servers) as teacher:
            poison = asyncio.ensure_future(teacher.generate(request("poison")))
            answers = await drive(teacher, [request(i) for i in range(300)])
            with pytest.raises(TeacherFault, match="500 on this one"):
                await poison
            assert len(answers) == 300
            assert await teacher.generate(request("after"))

    run_virtually(work())


def test_callers_wait_while_all_replicas_are_gone_and_go_on_when_one_is_back(run_virtually: Run) -> None:
    async def work() -> None:
        servers = [Server("a"), Server("b")]
        dead = NotTaken("refused", unreachable=True)

        async def outage() -> None:
            await asyncio.sleep(5)
            for server in servers:
                server.fault = server.probe_fault = dead
            await asyncio.sleep(120)
            for server in servers:
                server.fault = server.probe_fault = None

        async with ReplicaSet("t", servers) as teacher:
            gone = asyncio.ensure_future(outage())
            answers = await drive(teacher, [request(i) for i in range(600)])
            await gone
        assert len(answers) == 600
        assert sorted(servers[0].finished + servers[1].finished) == sorted(str(i) for i in range(600))

    run_virtually(work())


def test_an_outage_that_does_not_end_ends_the_teacher_with_the_last_fault(run_virtually: Run) -> None:
    async def work() -> None:
        server = Server("s")
        server.fault = server.probe_fault = NotTaken("connection refused", unreachable=True)
        async with ReplicaSet("t", [server], BalanceSettings(outage_limit_s=300.0)) as teacher:
            assert teacher.max_num_seqs >= 1
            with pytest.raises(TeacherLost, match=r"no replica of t came back in 300 s.*s: connection refused"):
                await teacher.generate(request(1))
            assert 300 <= asyncio.get_running_loop().time() < 400
            assert teacher.max_num_seqs == 1

    run_virtually(work())


def test_room_is_told_when_a_replica_comes_back(run_virtually: Run) -> None:
    async def work() -> None:
        server = Server("s")
        server.fault = server.probe_fault = NotTaken("refused", unreachable=True)
        async with ReplicaSet("t", [server]) as teacher:
            rooms: list[int] = []
            teacher.watch(lambda: rooms.append(teacher.max_num_seqs))
            asked = asyncio.ensure_future(teacher.generate(request(1)))
            await asyncio.sleep(20)
            server.fault = server.probe_fault = None
            await asked
            await asyncio.sleep(20)
            assert rooms == sorted(rooms)
            assert rooms[-1] == 32

    run_virtually(work())


def test_cancelled_requests_give_their_places_back(run_virtually: Run) -> None:
    async def work() -> None:
        server = Server("s", max_num_seqs=4)
        async with ReplicaSet("t", [server]) as teacher:
            tasks = [asyncio.ensure_future(teacher.generate(request(i, 10_000.0))) for i in range(12)]
            await asyncio.sleep(1)
            for task in tasks[:3] + tasks[6:]:  # three that run, and some of those that wait
                task.cancel()
            await asyncio.gather(*tasks, return_exceptions=True)
            assert server.open_now == 0
            assert len(server.finished) == 3
            assert teacher.figures()[0].num_open == 0

    run_virtually(work())


def test_a_refusal_is_no_fault_of_the_replica(run_virtually: Run) -> None:
    async def work() -> None:
        server = Server("s")
        server.fault = RequestRefused("too long")
        async with ReplicaSet("t", [server]) as teacher:
            for _ in range(5):
                with pytest.raises(RequestRefused, match="too long"):
                    await teacher.generate(request(1))
            assert teacher.figures()[0].health == "taking"

    run_virtually(work())


def test_a_final_fault_reaches_the_asker_at_once(run_virtually: Run) -> None:
    async def work() -> None:
        server = Server("s")
        server.fault = TeacherLost("401: the key in TEACHER_KEY is not accepted")
        async with ReplicaSet("t", [server]) as teacher:
            with pytest.raises(TeacherLost, match="TEACHER_KEY"):
                await teacher.generate(request(1))

    run_virtually(work())


def test_a_set_of_no_replica_is_refused() -> None:
    with pytest.raises(ValueError, match="the teacher 't' has none"):
        ReplicaSet("t", [])
