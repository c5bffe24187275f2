"""Hostile programs against a real sandbox, in every mode that this user can have."""

import asyncio
import os
import signal
import socket
import time
from pathlib import Path

import pytest

from reasonmill.verify.child import ChildDied
from reasonmill.verify.sandbox.cpp import compile_job
from reasonmill.verify.sandbox.slots import SandboxMissing, SlotPool, job_limits, usable_modes
from reasonmill.verify.settings import SandboxSettings

SETTINGS = SandboxSettings(
    slots=1, cpu_limit_s=1.0, wall_limit_s=2.5, memory_mib=256, output_mib=1, scratch_mib=8, max_processes=16
)


@pytest.fixture(params=usable_modes(), scope="module")
def host(request):
    """An event loop and a pool of one slot, shared by the tests of a mode: what one breaks, the next one meets."""
    with asyncio.Runner() as runner:
        pool = SlotPool(SETTINGS, (request.param,))
        yield runner, pool
        runner.run(pool.close())


async def _run(pool, source, stdin=""):
    job = {"kind": "program", "source": source, "limits": job_limits(SETTINGS)}
    async with pool.lease() as slot:
        return await slot.run(job, stdin=stdin.encode()), slot.pid


def _outcomes(host, *sources, stdin=""):
    """Outcomes of programs run one after the other, and whether the same slot served all of them."""
    runner, pool = host

    async def work():
        return [await _run(pool, source, stdin) for source in sources]

    pairs = runner.run(work())
    return [outcome for outcome, _ in pairs], len({pid for _, pid in pairs}) == 1


def test_a_program_reads_its_input_and_writes_its_output(host):
    (outcome,), _ = _outcomes(host, "import sys\nprint(input()[::-1], file=sys.stdout)", stdin="häß\n")
    assert (outcome["exit"], outcome["stdout"]) == (0, "ßäh\n")


def test_exit_status_threads_and_exit_handlers_are_a_programs_own(host):
    outcomes, _ = _outcomes(
        host,
        "exit(3)",
        "import threading\nthreading.Thread(target=lambda: print('late')).start()",
        "import atexit\natexit.register(lambda: print('bye'))",
        "if __name__ == '__main__':\n    print('main')",
        "import sys\nsys.setrecursionlimit(10**6)\ndef f(n): return 0 if n == 0 else 1 + f(n - 1)\nprint(f(50000))",
        "print(open('/dev/stdin').read())",
    )
    assert outcomes[0]["exit"] == 3
    assert [outcome["stdout"] for outcome in outcomes[1:]] == ["late\n", "bye\n", "main\n", "50000\n", "\n"]


@pytest.mark.parametrize(
    "source",
    [
        "while True: pass",
        "import os, signal\nos.close(0); os.close(1); os.close(2)\nfor n in range(1, 65):\n"
        "    try: signal.signal(n, signal.SIG_IGN)\n    except (OSError, ValueError): pass\nwhile True: pass",
        "import time; time.sleep(60)",
    ],
)
def test_an_endless_program_ends_at_its_limit_and_the_slot_lives_on(host, source):
    (endless, after), same_slot = _outcomes(host, source, "print(1)")
    assert endless["exit"] is None
    assert endless["over_wall"] or endless["cpu_s"] > 0.7
    assert after["stdout"] == "1\n"
    assert same_slot


def test_a_fork_bomb_is_bounded_and_swept(host):
    bomb = "import os\nfor _ in range(2000):\n    try: os.fork()\n    except OSError: pass\nwhile True: pass"
    count = "import os\nprint(len([p for p in os.listdir('/proc') if p.isdigit()]))"
    (_, after), _ = _outcomes(host, bomb, count)
    assert int(after["stdout"]) <= 3


def test_a_daemon_does_not_outlive_its_job(host):
    daemon = (
        "import os, time\nif os.fork() == 0:\n    os.setsid()\n"
        "    if os.fork() == 0:\n        time.sleep(60)\n    os._exit(0)\n"
    )
    count = "import os\nprint(len([p for p in os.listdir('/proc') if p.isdigit()]))"
    (_, after), _ = _outcomes(host, daemon, count)
    assert int(after["stdout"]) <= 3


def test_the_network_is_out_of_reach(host):
    with socket.create_server(("127.0.0.1", 0)) as server:
        port = server.getsockname()[1]
        source = f"import socket\nsocket.create_connection(('127.0.0.1', {port}), timeout=1)\nprint('through')"
        (outcome,), _ = _outcomes(host, source)
    assert outcome["exit"] == 1
    assert "through" not in outcome["stdout"]


def test_the_files_and_the_environment_of_the_host_are_out_of_reach(host, tmp_path, monkeypatch):
    secret = tmp_path / "secret"
    secret.write_text("secret")
    secret.chmod(0o666)
    monkeypatch.setenv("SECRET_OF_THE_HOST", "1")
    source = (
        "import os\n"
        f"for path in ({str(secret)!r}, '/etc/passwd', '/etc/shadow', {str(Path(__file__).resolve())!r}):\n"
        "    print(os.path.exists(path))\n"
        "print('SECRET_OF_THE_HOST' in os.environ)\n"
        "for pid in os.listdir('/proc'):\n"
        "    if pid.isdigit():\n"
        "        try: print('SECRET' in open(f'/proc/{pid}/environ').read())\n"
        "        except OSError: print(False)\n"
    )
    (outcome,), _ = _outcomes(host, source)
    assert outcome["exit"] == 0
    assert set(outcome["stdout"].split()) == {"False"}


def test_nothing_but_the_jobs_folder_can_be_written_and_nothing_stays(host):
    write = (
        "import os\nopen('mine', 'w').write('x')\nos.mkdir('d')\nopen('d/f', 'w').close()\nos.chmod('d', 0)\n"
        "for path in ('/x', '/usr/x', '/dev/x', '/etc/x', '/reasonmill-inside/x'):\n"
        "    try: open(path, 'w')\n"
        "    except OSError: continue\n"
        "    print('wrote', path)\n"
    )
    (outcome, after), _ = _outcomes(host, write, "import os\nprint(os.listdir('.'), os.listdir('/tmp'))")
    assert (outcome["exit"], outcome["stdout"]) == (0, "")
    assert after["stdout"] == "[] ['job']\n"


def test_the_slot_itself_cannot_be_reached_by_its_job(host):
    attack = (
        "import os, signal\n"
        "for pid in [int(p) for p in os.listdir('/proc') if p.isdigit() and int(p) != os.getpid()] + [1]:\n"
        "    for path in ('mem', 'fd/0', 'fd/4', 'environ'):\n"
        "        try:\n"
        "            os.close(os.open(f'/proc/{pid}/{path}', os.O_RDONLY | os.O_NONBLOCK))\n"
        "        except OSError: continue\n"
        "        if os.path.realpath('/proc/self') != f'/proc/{pid}': print('read', pid, path)\n"
        "    try: os.kill(pid, signal.SIGKILL) if os.path.realpath('/proc/self') != f'/proc/{pid}' else None\n"
        "    except OSError: pass\n"
        "print('done')\n"
    )
    (outcome, after), same_slot = _outcomes(host, attack, "print('alive')")
    assert "read" not in outcome["stdout"]
    assert after["stdout"] == "alive\n"
    assert same_slot


def test_memory_is_bounded_in_one_process(host):
    (outcome,), _ = _outcomes(host, "x = bytearray(2**30)\nprint('got it')")
    assert "MemoryError" in outcome["stderr"]


def test_output_and_files_are_bounded(host):
    outcomes, same_slot = _outcomes(
        host,
        "while True: print('x' * 1000)",
        "for n in range(100): open(f'f{n}', 'wb').write(bytes(2**20 - 1))",
        "print('fine')",
    )
    assert outcomes[0]["output_full"]
    assert len(outcomes[0]["stdout"]) <= 2**20
    assert "No space left" in outcomes[1]["stderr"]
    assert outcomes[2]["stdout"] == "fine\n"
    assert same_slot


def test_a_binary_that_puts_a_folder_in_its_own_place_is_removed_like_any_other(host):
    runner, pool = host
    program = (
        "#include <cstdio>\n#include <sys/stat.h>\n"
        'int main() { remove("/tmp/program"); mkdir("/tmp/program", 0700); puts("ran"); }'
    )

    async def work():
        limits = job_limits(SETTINGS)
        async with pool.lease() as slot:
            await slot.run(compile_job(program, SandboxSettings()))
            ran = await slot.run({"kind": "execute", "source": "", "limits": limits})
            left = await slot.run(
                {"kind": "program", "source": "import os\nprint(os.listdir('/tmp'))", "limits": limits}
            )
            return ran["stdout"], left["stdout"], slot.alive

    assert runner.run(work()) == ("ran\n", "['job']\n", True)


def test_a_job_cannot_gain_rights(host):
    source = (
        "import os, ctypes, subprocess\n"
        "for call in (lambda: os.setuid(0), lambda: os.setgid(0), lambda: os.setgroups([0])):\n"
        "    try: call()\n"
        "    except OSError: continue\n"
        "    print('gained')\n"
        "print(open('/proc/self/status').read().split('CapEff:')[1].split()[0])\n"
        "print(open('/proc/self/status').read().split('NoNewPrivs:')[1].split()[0])\n"
    )
    (outcome,), _ = _outcomes(host, source)
    assert outcome["stdout"].split() == ["0" * 16, "1"]


def test_a_killed_slot_is_replaced(host):
    runner, pool = host

    async def work():
        _, first = await _run(pool, "print(1)")
        async with pool.lease() as slot:
            os.kill(slot.pid, signal.SIGKILL)
            job = {"kind": "program", "source": "import time; time.sleep(60)", "limits": job_limits(SETTINGS)}
            with pytest.raises(ChildDied):
                await slot.run(job)
        outcome, second = await _run(pool, "print(2)")
        assert outcome["stdout"] == "2\n"
        assert first != second

    runner.run(work())


def test_a_cancelled_job_is_killed_and_frees_its_place(host):
    runner, pool = host

    async def work():
        await _run(pool, "print(1)")
        task = asyncio.create_task(_run(pool, "import time; time.sleep(60)"))
        await asyncio.sleep(0.1)
        task.cancel()
        with pytest.raises(asyncio.CancelledError):
            await task
        outcome, _ = await _run(pool, "print(2)")
        assert outcome["stdout"] == "2\n"

    runner.run(work())


def test_no_process_of_a_slot_survives_the_slot(host):
    runner, pool = host

    async def work():
        task = asyncio.create_task(_run(pool, "import os, time\nos.fork()\ntime.sleep(60)"))
        await asyncio.sleep(0.3)
        (slot,) = pool._running.values()
        started = _descendants(slot.pid)
        assert len(started) >= 3
        os.kill(slot.pid, signal.SIGKILL)
        await asyncio.gather(task, return_exceptions=True)
        return started

    started = runner.run(work())
    deadline = time.monotonic() + 10
    while any(Path(f"/proc/{pid}").exists() for pid in started) and time.monotonic() < deadline:
        time.sleep(0.02)
    assert [pid for pid in started if Path(f"/proc/{pid}").exists()] == []


def _descendants(pid):
    children = [int(child) for child in Path(f"/proc/{pid}/task/{pid}/children").read_text().split()]
    return children + [below for child in children for below in _descendants(child)]


def test_without_bubblewrap_there_is_no_sandbox_and_the_reason_is_told(monkeypatch):
    monkeypatch.setenv("PATH", "/nowhere")

    async def work():
        pool = SlotPool(SETTINGS)
        assert "bubblewrap" in pool.missing
        with pytest.raises(SandboxMissing, match="bwrap is not installed"):
            await _run(pool, "print(1)")

    asyncio.run(work())


def test_a_bubblewrap_that_cannot_work_is_no_sandbox(monkeypatch, tmp_path):
    broken = tmp_path / "bwrap"
    broken.write_text("#!/bin/sh\necho 'bwrap: No permissions to create new namespace' >&2\nexit 1\n")
    broken.chmod(0o755)
    monkeypatch.setenv("PATH", f"{tmp_path}:/usr/bin:/bin")

    async def work():
        pool = SlotPool(SETTINGS)
        with pytest.raises(SandboxMissing, match="No permissions"):
            await _run(pool, "print(1)")
        assert "No permissions" in pool.missing
        await pool.close()

    asyncio.run(work())
