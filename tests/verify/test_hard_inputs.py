"""Forty monstrous answers, and as many monstrous golds, from asyncio, from threads and from the command line: each is
answered within the deadline and a second, in bounded memory, and the pool is whole afterwards.
"""

import asyncio
import os
from pathlib import Path

import orjson
import pytest

from reasonmill.bench.verify_pool import HARD
from reasonmill.engine.cli import run_command
from reasonmill.verify.blocking import BlockingPool
from reasonmill.verify.pool import VerifierPool
from reasonmill.verify.request import VerifyRequest
from reasonmill.verify.settings import VerifySettings

DEADLINE_S = 1.0
GRACE_S = 1.0
SETTINGS = VerifySettings(math_workers=2, math_limit_s=DEADLINE_S)
EASY = VerifyRequest(id="easy", category="math", prompt="", response=r"\boxed{\sin x+0}", ground_truth=r"\sin x")


def _request(name, answer, gold):
    return VerifyRequest(id=name, category="math", prompt="", response=f"\\boxed{{{answer}}}", ground_truth=gold)


ANSWERS = [_request(f"answer {n}", hard, "x^2+1") for n, hard in enumerate(HARD)]
GOLDS = [_request(f"gold {n}", "x^2+1", hard) for n, hard in enumerate(HARD)]


def _resident_mib(pids):
    total = 0
    for pid in pids:
        try:
            total += int(Path(f"/proc/{pid}/statm").read_text().split()[1]) * os.sysconf("SC_PAGESIZE")
        except OSError:
            continue
    return total / 2**20


def _check(verdicts):
    assert len(verdicts) == len(HARD)
    assert not [one for one in verdicts if one.outcome == "pass"]
    assert max(one.duration_s for one in verdicts) <= DEADLINE_S + GRACE_S


@pytest.mark.slow
@pytest.mark.parametrize("requests", [ANSWERS, GOLDS], ids=["answers", "golds"])
def test_monsters_from_asyncio(requests):
    async def work():
        peak_mib = 0.0
        async with VerifierPool(SETTINGS) as pool:
            verdicts = []
            before_mib = _resident_mib([os.getpid()])  # other tests have filled this process before
            async for _, verdict in pool.verify_all(requests, in_order=False):
                verdicts.append(verdict)
                peak_mib = max(peak_mib, _resident_mib([os.getpid(), *pool.algebra_pids]) - before_mib)
            await pool.settled()
            return verdicts, peak_mib, len(pool.algebra_pids), await pool.verify(EASY)

    verdicts, peak_mib, alive, easy = asyncio.run(work())
    _check(verdicts)
    assert peak_mib < 1024
    assert alive == 2
    assert easy.outcome == "pass"


@pytest.mark.slow
def test_monsters_from_a_thread():
    with BlockingPool(SETTINGS) as pool:
        verdicts = [verdict for _, verdict in pool.verify_all(ANSWERS)]
        easy = pool.verify(EASY)
    _check(verdicts)
    assert easy.outcome == "pass"


@pytest.mark.slow
def test_monsters_from_the_command_line(tmp_path):
    rows = [{"id": one.id, "category": "math", "response": one.response, "ground_truth": "x^2+1"} for one in ANSWERS]
    (tmp_path / "rows.jsonl").write_bytes(b"".join(orjson.dumps(row) + b"\n" for row in rows))
    command = ["verify", "--input", str(tmp_path / "rows.jsonl"), "--output", str(tmp_path / "v.jsonl")]
    assert run_command([*command, "--deadline-s", str(DEADLINE_S), "--workers", "2"]) == 0
    lines = [orjson.loads(line) for line in (tmp_path / "v.jsonl").read_bytes().splitlines()]
    assert [line["id"] for line in lines] == [one.id for one in ANSWERS]
    assert max(line["duration_s"] for line in lines) <= DEADLINE_S + GRACE_S
