"""Laws of servers that are started, watched and restarted here, shown on a server without a model."""

import asyncio
import os
import signal
import subprocess
import sys
import time
from collections.abc import Awaitable, Callable
from pathlib import Path
from typing import Any

import pytest

from reasonmill.engine.records import Message
from reasonmill.engine.teachers.faults import TeacherLost
from reasonmill.engine.teachers.protocol import Generation, GenerationRequest, TeacherFault
from reasonmill.engine.teachers.replica_set import ReplicaSet
from reasonmill.engine.teachers.replicas import ServedReplica, open_replicas
from reasonmill.engine.teachers.server_plan import (
    cpu_kv_cache_mib,
    server_arguments,
    server_environment,
    share_gpus,
    visible_gpus,
)
from reasonmill.engine.teachers.settings import TeacherSettings

ECHO = (sys.executable, "-P", str(Path(__file__).with_name("echo_server.py")))
EMBEDDED = Path(__file__).parents[3] / "engine" / "embedded" / "tiny_teacher"


def request(text: str) -> GenerationRequest:
    return GenerationRequest(query_id=text, number=1, seed=1, messages=(Message(role="user", content=text),))


def with_servers(
    folder: Path, work: Callable[[ReplicaSet], Awaitable[Any]], monkeypatch: pytest.MonkeyPatch, **options: Any
) -> None:
    monkeypatch.setenv("ECHO_SERVER_LOG", str(folder / "finished"))
    monkeypatch.setenv("CUDA_VISIBLE_DEVICES", "")
    given = {"name": "t", "model": str(EMBEDDED), "data_parallel_size": 2, "max_num_seqs": 8, "start_limit_s": 30.0}
    settings = TeacherSettings(**(given | options))

    async def run() -> None:
        async with asyncio.timeout(60), open_replicas(settings, log_dir=folder / "logs", command=ECHO) as teacher:
            await work(teacher)

    asyncio.run(run())


def replicas(teacher: ReplicaSet) -> list[ServedReplica]:
    found = [lane.replica for lane in teacher._lanes]
    assert all(isinstance(one, ServedReplica) for one in found)
    return found  # type: ignore[return-value]


async def until_answered(teacher: ReplicaSet, text: str) -> Generation:
    while True:
        try:
            return await teacher.generate(request(text))
        except TeacherFault as fault:
            if getattr(fault, "final", False):
                raise
            await asyncio.sleep(0.05)


async def within(condition: Callable[[], bool], seconds: float = 10.0) -> None:
    async with asyncio.timeout(seconds):
        while not condition():
            await asyncio.sleep(0.05)


def group_of(pid: int) -> list[int]:
    found = []
    for entry in Path("/proc").iterdir():
        if entry.name.isdigit():
            try:
                fields = (entry / "stat").read_text().rpartition(")")[2].split()
            except OSError:
                continue
            if int(fields[2]) == pid and fields[0] != "Z":
                found.append(int(entry.name))
    return found


def test_servers_share_the_work_and_leave_nothing_behind(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    pids: list[int] = []

    async def work(teacher: ReplicaSet) -> None:
        pids.extend(one.pid or 0 for one in replicas(teacher))
        answers = await asyncio.gather(*(teacher.generate(request(f"0.05 q{i}")) for i in range(40)))
        assert len({answer.text.split()[-1] for answer in answers}) == 2
        assert all(len(group_of(pid)) == 2 for pid in pids)

    with_servers(tmp_path, work, monkeypatch)
    asyncio.run(within(lambda: [group_of(pid) for pid in pids] == [[], []]))  # killed; gone when it next had a core


def test_a_killed_server_is_replaced_and_what_was_open_is_answered_once(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    async def work(teacher: ReplicaSet) -> None:
        victim = replicas(teacher)[0]
        first_pid = victim.pid
        assert first_pid is not None
        asked = [f"0.4 q{i}" for i in range(16)]
        tasks = [asyncio.ensure_future(until_answered(teacher, one)) for one in asked]
        await asyncio.sleep(0.15)
        os.kill(first_pid, signal.SIGKILL)
        await asyncio.gather(*tasks)
        assert sorted((tmp_path / "finished").read_text().splitlines()) == sorted(asked)
        await within(lambda: victim.pid != first_pid and group_of(first_pid) == [])
        await within(lambda: teacher.figures()[0].health == "taking")
        answers = await asyncio.gather(*(teacher.generate(request(f"0.1 r{i}")) for i in range(12)))
        assert any(answer.text.endswith(str(victim.pid)) for answer in answers)

    with_servers(tmp_path, work, monkeypatch)


def test_a_server_that_hangs_is_killed_and_replaced(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    async def work(teacher: ReplicaSet) -> None:
        only = replicas(teacher)[0]
        first_pid = only.pid
        hung = asyncio.ensure_future(teacher.generate(request("hang")))
        await within(lambda: only.pid != first_pid, 20.0)
        hung.cancel()
        assert (await until_answered(teacher, "0 back")).text.startswith("0 back by")

    with_servers(tmp_path, work, monkeypatch, stall_limit_s=0.5, data_parallel_size=1)


def test_a_server_that_keeps_dying_loses_the_teacher(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    async def work(teacher: ReplicaSet) -> None:
        with pytest.raises(TeacherLost, match=r"t-0 died 2 times: see .*server-t-0\.log"):
            await until_answered(teacher, "die")

    with_servers(tmp_path, work, monkeypatch, max_restarts=1, data_parallel_size=1)


def test_a_server_that_does_not_start_is_told_with_its_own_words(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("ECHO_SERVER_BROKEN", "1")

    async def work(_: ReplicaSet) -> None:
        raise AssertionError("opened")

    with pytest.raises(TeacherLost, match=r"does not start: ValueError: no such architecture \(see "):
        with_servers(tmp_path, work, monkeypatch)


def test_servers_die_with_the_process_that_started_them(tmp_path: Path) -> None:
    script = f"""
import asyncio, sys
from pathlib import Path
from reasonmill.engine.teachers.replicas import open_replicas
from reasonmill.engine.teachers.settings import TeacherSettings
async def run():
    settings = TeacherSettings(name="t", model={str(EMBEDDED)!r}, data_parallel_size=1)
    async with open_replicas(settings, log_dir=Path({str(tmp_path)!r}), command={ECHO!r}) as teacher:
        print(teacher._lanes[0].replica.pid, flush=True)
        await asyncio.sleep(1000)
asyncio.run(run())
"""
    environment = {**os.environ, "CUDA_VISIBLE_DEVICES": "", "ECHO_SERVER_LOG": str(tmp_path / "finished")}
    with subprocess.Popen([sys.executable, "-P", "-c", script], stdout=subprocess.PIPE, env=environment) as parent:
        assert parent.stdout is not None
        pid = int(parent.stdout.readline())
        parent.kill()
    deadline = time.monotonic() + 10
    while pid in group_of(pid) and time.monotonic() < deadline:
        time.sleep(0.05)
    assert pid not in group_of(pid)
    for left in group_of(pid):  # its `sleep`, which a run's warden finds by its mark
        os.kill(left, signal.SIGKILL)


def test_gpus_are_shared_out_in_order_and_too_few_are_told(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("CUDA_VISIBLE_DEVICES", "4,5, 6,7")
    assert visible_gpus() == ["4", "5", "6", "7"]
    assert share_gpus(["4", "5", "6", "7"], replicas=2, each=2) == [["4", "5"], ["6", "7"]]
    assert share_gpus([], replicas=2, each=1) == [[], []]
    with pytest.raises(ValueError, match=r"3 servers of 2 GPUs each .* need 6, 4 are visible"):
        share_gpus(["4", "5", "6", "7"], replicas=3, each=2)


def test_a_server_on_gpus_sees_its_own_and_is_started_with_vllms_own_arguments() -> None:
    settings = TeacherSettings(name="t", model="m", tensor_parallel_size=2, data_parallel_size=2, max_model_len=4096)
    assert server_environment(settings, ["2", "3"])["CUDA_VISIBLE_DEVICES"] == "2,3"
    arguments = server_arguments(settings, on_gpus=True)
    assert arguments[arguments.index("--tensor-parallel-size") + 1] == "2"
    assert "--enforce-eager" not in arguments
    assert "--enforce-eager" in server_arguments(settings, on_gpus=False)


def test_the_cache_on_a_cpu_is_as_large_as_its_requests_need() -> None:
    small = TeacherSettings(name="t", model=str(EMBEDDED), max_model_len=256, max_num_seqs=16)
    large = TeacherSettings(name="t", model=str(EMBEDDED), max_model_len=256, max_num_seqs=256)
    assert 2 <= cpu_kv_cache_mib(small) < cpu_kv_cache_mib(large) <= 4096
    assert cpu_kv_cache_mib(TeacherSettings(name="t", model="/nowhere")) == 1024
