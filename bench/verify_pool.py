"""The pool itself: what it adds to a check, and what monstrous answers do to it."""

import asyncio
import os
import sys
import time
from collections.abc import Iterator
from pathlib import Path

from reasonmill.bench.figure import Figure
from reasonmill.bench.method import interleave
from reasonmill.verify.blocking import BlockingPool
from reasonmill.verify.child import Child
from reasonmill.verify.math_answer import check_answer
from reasonmill.verify.pool import VerifierPool
from reasonmill.verify.request import VerifyRequest
from reasonmill.verify.settings import VerifySettings

_SETTINGS = VerifySettings(math_workers=1)
_TICKS_PER_S = os.sysconf("SC_CLK_TCK")
_DEADLINE_S = 2.0

# Forty answers that hang or bloat a grader that takes them as they are.
HARD = (
    r"9^{9^{9^{9}}}+x",
    r"10^{10^9}",
    r"10^{10^{10}}+1",
    r"100000!",
    r"(10^6)!",
    r"(((10)!)!)!",
    r"\sqrt{" * 60 + "2" + "}" * 60,
    r"\sqrt{1+" * 200 + "x" + "}" * 200,
    "(" * 5000 + "1" + ")" * 5000,
    "{" * 3000 + "1" + "}" * 3000,
    ", ".join(map(str, range(10000))),
    r"\{" + ", ".join(f"x_{{{i}}}" for i in range(5000)) + r"\}",
    r"\sum_{k=1}^{10000000} \sin(k^2)",
    r"\prod_{k=1}^{100000} (k+x)",
    r"\log(\log(\log(\log(\log(10^{10^{10}})))))",
    r"\ln(\ln(\ln(9^{9^{9^9}})))",
    r"\int_0^1 x^x e^{x^x} \sin(x^{x^x}) dx",
    r"(x+y+z+w)^{200}",
    r"\binom{100000000}{50000000}",
    r"2^{2^{2^{2^{2^{2}}}}}",
    r"\frac{1}{9^{9^{9}}}",
    r"(x^{1000}-1)/(x-1)",
    r"\begin{pmatrix}" + r"\\".join("&".join(f"{i}{j}x" for j in range(30)) for i in range(30)) + r"\end{pmatrix}",
    r"\begin{vmatrix}" + r"\\".join("&".join(f"x_{{{i}{j}}}" for j in range(12)) for i in range(12)) + r"\end{vmatrix}",
    r"\sqrt[1000000]{9^{9^9}}",
    r"\tan(\tan(\tan(\tan(x^{x^{x}}))))",
    r"\frac{" * 400 + "1" + "}{2}" * 400,
    "1+" * 20000 + "1",
    "x^" * 3000 + "2",
    "7" * 100000,
    "0." + "3" * 100000,
    r"e^{e^{e^{e^{e}}}}",
    r"\lim_{x\to 0} \frac{\sin(x^{100})}{x^{100}}",
    r"x^{10000}+y^{10000}=z^{10000}",
    r"\left|" * 300 + "x" + r"\right|" * 300,
    r"\{x: x^{99999}=1\}",
    r"(1+\sqrt2)^{100000}",
    r"\cos(1)^{\cos(1)^{\cos(1)^{99999999}}}",
    r"\sum_{n=1}^{\infty}\frac{1}{n^{n^{n}}}",
    r"1.000000001^{9999999999999}",
    r"(x-1)" * 500,
)


def cpu_s(pids: list[int]) -> float:
    """CPU time of this process and of others that are alive, in seconds."""
    total = time.process_time()
    for pid in pids:
        fields = Path(f"/proc/{pid}/stat").read_bytes().rpartition(b")")[2].split()
        total += (int(fields[11]) + int(fields[12])) / _TICKS_PER_S
    return total


def hard_requests() -> Iterator[VerifyRequest]:
    """Each monster as an answer."""
    for number, answer in enumerate(HARD):
        yield VerifyRequest(
            id=str(number), category="math", prompt="", response=f"\\boxed{{{answer}}}", ground_truth="x^2+1"
        )


def pool_overhead(rounds: int, tasks: int = 2000) -> Iterator[Figure]:
    """What the pool adds to a check: time per task of distinct answers that a rule decides, beyond the rule itself."""
    requests = [
        VerifyRequest(id=str(n), category="math", prompt="", response=f"\\boxed{{{n}}}", ground_truth=str(n))
        for n in range(tasks)
    ]

    def rules() -> None:
        for request in requests:
            check_answer(request.response, request.ground_truth, max_answer_chars=2000)

    def pool() -> None:
        asyncio.run(_through_pool(requests))

    def threads() -> None:
        with BlockingPool(_SETTINGS) as blocking:
            for _ in blocking.verify_all(requests):
                pass

    timings = interleave({"rules": rules, "pool": pool, "threads": threads}, rounds=rounds)
    for name in ("pool", "threads"):
        pairs = zip(timings.seconds[name], timings.seconds["rules"], strict=True)
        added = sorted(one - other for one, other in pairs)[rounds // 2]
        yield Figure(
            name=f"overhead_per_task_{name}", value=1e6 * added / tasks, unit="µs", better="lower", target=150.0,
            detail={"tasks": tasks, "rules alone, µs": 1e6 * timings.best("rules") / tasks},
        )  # fmt: skip
    yield asyncio.run(_worker_overhead())


async def _worker_overhead(tasks: int = 1500) -> Figure:
    """CPU time of both sides of one exchange with a worker that has nothing to compute."""
    program = (
        "import os\nfrom reasonmill.verify.worker_loop import reply,resident\n"
        "import json,sys\nr=sys.stdin.buffer\nw=sys.stdout.buffer\n"
        "f=os.open('/proc/self/statm',os.O_RDONLY)\nreply(w,{})\n"
        "while h:=r.read(8):\n json.loads(r.read(int.from_bytes(h,'little')))\n"
        " reply(w,{'result':'equal','rss':resident(f),'cpu_before_s':0})"
    )
    child = await Child.start((sys.executable, "-P", "-c", program), os.environ, deadline_s=60.0)
    try:
        message = {"gold": "x", "answer": "y", "running": ""}
        for _ in range(100):
            await child.ask(message, deadline_s=5.0)
        began_s = cpu_s([child.pid])
        for _ in range(tasks):
            await child.ask(message, deadline_s=5.0)
        used_s = cpu_s([child.pid]) - began_s
    finally:
        await child.close()
    return Figure(
        name="overhead_per_task_worker", value=1e6 * used_s / tasks, unit="µs", better="lower", target=150.0,
        detail={"tasks": tasks, "counts": "CPU time of parent and worker for one exchange"},
    )  # fmt: skip


async def _through_pool(requests: list[VerifyRequest]) -> None:
    async with VerifierPool(_SETTINGS) as pool:
        async for _ in pool.verify_all(requests):
            pass


def hard_inputs() -> Iterator[Figure]:
    """Monstrous answers: time beyond the deadline, and memory of the whole tree."""
    settings = VerifySettings(math_workers=2, math_limit_s=_DEADLINE_S)
    slowest_s, peak_mib, alive = asyncio.run(_run_hard(settings))
    yield Figure(
        name="hard_inputs_beyond_deadline", value=max(0.0, slowest_s - _DEADLINE_S), unit="s", better="lower",
        target=1.0, detail={"inputs": len(HARD), "deadline_s": _DEADLINE_S},
    )  # fmt: skip
    yield Figure(name="hard_inputs_peak_memory", value=peak_mib, unit="MiB", better="lower", target=1024.0)
    yield Figure(name="hard_inputs_workers_left", value=float(alive), unit="of 2", target=2.0)


async def _run_hard(settings: VerifySettings) -> tuple[float, float, int]:
    slowest_s = peak_mib = 0.0
    async with VerifierPool(settings) as pool:
        async for _, verdict in pool.verify_all(hard_requests()):
            slowest_s = max(slowest_s, verdict.duration_s)
            peak_mib = max(peak_mib, _resident_mib([os.getpid(), *pool.algebra_pids]))
        await pool.settled()
        alive = len(pool.algebra_pids)
    return slowest_s, peak_mib, alive


def _resident_mib(pids: list[int]) -> float:
    """Largest resident memory that each process ever had, added up."""
    total = 0
    for pid in pids:
        try:
            status = Path(f"/proc/{pid}/status").read_text()
        except OSError:
            continue
        total += next((int(line.split()[1]) for line in status.splitlines() if line.startswith("VmHWM")), 0)
    return total / 1024
