"""What goes wrong while an evaluation runs, provoked: killed processes, failing servers, a slow verifier."""

import asyncio
import os
import signal
import subprocess
import sys
import time
from dataclasses import dataclass, field
from pathlib import Path

import orjson
import pytest
from aiohttp import web

from reasonmill.engine.cli import run_command
from reasonmill.engine.evaluate import sampling
from reasonmill.engine.evaluate.benchmark import Benchmark
from reasonmill.engine.evaluate.evaluation import Evaluator
from reasonmill.engine.evaluate.files import evaluate_to
from reasonmill.engine.evaluate.models import folder_model, served_model
from reasonmill.engine.evaluate.prompts import PRESETS
from reasonmill.engine.evaluate.sampling import Plan, Sampling
from reasonmill.engine.evaluate.settings import EvaluateSettings
from reasonmill.engine.records import Message, Query
from reasonmill.engine.teachers.engine import Engine
from reasonmill.engine.teachers.engine_process import engine_environment
from reasonmill.engine.teachers.protocol import Generation
from reasonmill.verify.verdict import scored

ECHO = (sys.executable, str(Path(__file__).parents[1] / "teachers" / "echo_engine.py"))


def benchmark(texts, samples=1) -> Benchmark:
    questions = tuple(
        Query(id=str(i), messages=(Message(role="user", content=text),), category="math", source="s", ground_truth="7")
        for i, text in enumerate(texts)
    )
    return Benchmark(name="b", questions=questions, samples_per_question=samples)


def test_killed_at_any_moment_and_started_again_it_ends_as_if_nothing_had_happened(tmp_path, monkeypatch):
    rows = [{"id": str(i), "question": f"{i} + 1?", "answer": str(i + 1)} for i in range(30)]
    (tmp_path / "sums.jsonl").write_bytes(b"\n".join(map(orjson.dumps, rows)))
    script = [
        {
            "query_id": str(i),
            "responses": [{"text": f"\\boxed{{{i + 1 + (i + k) % 2}}}", "delay_s": 0.03} for k in range(4)],
        }
        for i in range(30)
    ]
    (tmp_path / "script.jsonl").write_bytes(b"\n".join(map(orjson.dumps, script)))
    recipe = "teachers:\n  - {name: t, kind: scripted, script: script.jsonl, max_num_seqs: 2}\n"
    (tmp_path / "recipe.yaml").write_text(recipe)

    def command(output):
        program = str(Path(sys.executable).parent / "reasonmill")
        arguments = ("evaluate", "recipe.yaml", "--questions", "sums.jsonl", "--output", output)
        return subprocess.Popen([program, *arguments], cwd=tmp_path, stdout=subprocess.DEVNULL, env=dict(os.environ))

    def answers(folder):
        lines = [line for path in (tmp_path / folder).glob("*.jsonl") for line in path.read_bytes().splitlines(True)]
        return [orjson.loads(line) for line in lines if line.endswith(b"\n") and b'"kind":"answer"' in line]

    monkeypatch.chdir(tmp_path)
    arguments = ["recipe.yaml", "--questions", "sums.jsonl", "--output", "whole.json"]
    assert run_command(["evaluate", *arguments]) == 0
    for number in (5, 70):
        process = command("cut.json")
        deadline = time.monotonic() + 60
        while len(answers("cut.answers")) < number and time.monotonic() < deadline:
            time.sleep(0.005)
        assert process.poll() is None, "it was to be killed in the middle"
        process.send_signal(signal.SIGKILL)
        process.wait()
    assert not (tmp_path / "cut.json").exists()
    assert command("cut.json").wait(120) == 0
    assert (tmp_path / "cut.json").read_bytes() == (tmp_path / "whole.json").read_bytes()
    keys = [answer["key"] for answer in answers("cut.answers")]
    assert len(keys) == len(set(keys)) == 120
    assert 0.4 < orjson.loads((tmp_path / "cut.json").read_bytes())["results"][0]["pass_at_1"] < 0.6


@dataclass
class Moody:
    """A server that fails, has too much to do and breaks off before it answers."""

    seen: int = 0
    finished: int = 0

    async def chat(self, request):
        await request.read()
        self.seen += 1
        mood = self.seen
        if mood == 1:
            return web.Response(status=500, text="out of memory")
        if mood == 2:
            return web.Response(status=429, headers={"Retry-After": "0.05"})
        response = web.StreamResponse(headers={"Content-Type": "text/event-stream"})
        await response.prepare(request)
        piece = {"choices": [{"index": 0, "delta": {"content": "\\boxed{7}"}, "finish_reason": None}]}
        await response.write(b"data: " + orjson.dumps(piece) + b"\n\n")
        if mood == 3:
            request.transport.close()
            return response
        last = {
            "choices": [{"index": 0, "delta": {}, "finish_reason": "stop"}],
            "usage": {"prompt_tokens": 1, "completion_tokens": 5},
        }
        await response.write(b"data: " + orjson.dumps(last) + b"\n\ndata: [DONE]\n\n")
        self.finished += 1
        return response

    async def models(self, _):
        return web.json_response({"data": [{"id": "served", "owned_by": "someone"}]})


def test_servers_that_fail_in_every_way_cost_no_sample(tmp_path):
    async def run():
        moody = Moody()
        app = web.Application()
        app.router.add_post("/v1/chat/completions", moody.chat)
        app.router.add_get("/v1/models", moody.models)
        runner = web.AppRunner(app, shutdown_timeout=0.1)
        await runner.setup()
        site = web.TCPSite(runner, "127.0.0.1", 0)
        await site.start()
        settings = EvaluateSettings(base_url=(f"http://127.0.0.1:{runner.addresses[0][1]}/v1",), max_num_seqs=4)
        try:
            scored = await evaluate_to(
                tmp_path / "e.json",
                [served_model("served", settings)],
                [benchmark([f"q{i}" for i in range(6)])],
                settings,
            )
        finally:
            await runner.cleanup()
        return scored, moody

    scored, moody = asyncio.run(run())
    (result,) = scored[0].results
    assert (result.pass_at_1, result.num_questions, result.stop_ratio) == (1.0, 6, 1.0)
    assert result.mean_completion_tokens == 5.0
    assert moody.finished == 6


class Sevens:
    async def verify(self, request):
        return scored(1.0, verifier="sevens", reason="ok")


def test_an_engine_that_dies_is_started_again_and_no_answer_is_asked_for_twice(tmp_path, monkeypatch):
    monkeypatch.setattr(sampling, "FAULT_PAUSE_S", 0.01)
    folder = tmp_path / "model"
    folder.mkdir()
    (folder / "config.json").write_text("{}")
    (folder / "model.safetensors").write_bytes(b"")

    async def run():
        engine = Engine(
            log=tmp_path / "engine.log",
            environment=engine_environment(cpu_threads=1),
            start_limit_s=30.0,
            stall_limit_s=30.0,
            max_restarts=3,
            command=ECHO,
        )
        settings = EvaluateSettings(max_num_seqs=4)
        async with engine:
            evaluator = Evaluator(
                pool=Sevens(), settings=settings, log_dir=tmp_path, engine=engine, answers_dir=tmp_path / "answers"
            )
            texts = [f"steps {20 + i} q{i}" for i in range(12)]
            running = asyncio.create_task(evaluator.run([folder_model("m", str(folder), settings)], [benchmark(texts)]))
            while not list((tmp_path / "answers").glob("*.jsonl")) or len(_lines(tmp_path / "answers")) < 5:
                await asyncio.sleep(0.01)
            os.kill(engine.pid, signal.SIGKILL)
            return await running

    (one,) = asyncio.run(run())
    assert one.results[0].pass_at_1 == 1.0
    found = [line for line in _lines(tmp_path / "answers") if line["kind"] == "answer"]
    assert sorted(line["question"] for line in found) == sorted(str(i) for i in range(12))
    assert len({line["text"].split("pid ")[1].split()[0] for line in found}) == 2  # of two processes


def _lines(folder):
    return [orjson.loads(line) for path in folder.glob("*.jsonl") for line in path.read_bytes().splitlines()]


@dataclass
class Quick:
    """Answers when the gate is open; its room grows when told."""

    name: str = "t"
    max_num_seqs: int = 2
    asked: int = 0
    open_now: int = 0
    most_open: int = 0
    grown: list = field(default_factory=list)
    gate: asyncio.Event | None = None

    def watch(self, grown):
        self.grown.append(grown)

    async def generate(self, request):
        self.asked += 1
        self.open_now += 1
        self.most_open = max(self.most_open, self.open_now)
        await (asyncio.sleep(0) if self.gate is None else self.gate.wait())
        self.open_now -= 1
        return Generation(text="7", finish_reason="stop", prompt_tokens=1, completion_tokens=1, duration_s=0.0)


async def _steady(value) -> int:
    """The value when nothing more can happen by itself."""
    for _ in range(200):
        await asyncio.sleep(0)
    return value()


def plan(texts, samples=1) -> Plan:
    return Plan(benchmark=benchmark(texts, samples), seed=1, prompts=PRESETS["plain"])


def test_a_slow_verifier_slows_asking(monkeypatch):
    monkeypatch.setattr(sampling, "MAX_UNJUDGED", 8)
    teacher, release = Quick(), asyncio.Event()

    class Stuck:
        async def verify(self, request):
            await release.wait()
            return scored(1.0, verifier="stuck", reason="ok")

    async def run():
        running = asyncio.create_task(Sampling(teacher, Stuck(), plan(["q"] * 50)).run())
        asked = await _steady(lambda: teacher.asked)
        release.set()
        return asked, await running

    asked, samples = asyncio.run(run())
    assert 8 <= asked <= 10
    assert len(samples) == 50


def test_room_that_grows_is_used():
    teacher = Quick()

    async def run():
        teacher.gate = asyncio.Event()
        running = asyncio.create_task(Sampling(teacher, Sevens(), plan(["q"] * 40)).run())
        before = await _steady(lambda: teacher.open_now)
        teacher.max_num_seqs = 10
        teacher.grown[0]()
        after = await _steady(lambda: teacher.open_now)
        teacher.gate.set()
        await running
        return before, after

    assert asyncio.run(run()) == (2, 10)
    assert teacher.most_open == 10


def test_a_check_that_cannot_be_made_is_no_score_and_is_tried_again_next_time(tmp_path):
    from reasonmill.engine.evaluate.answers import AnswerFile
    from reasonmill.verify.verdict import not_run

    class Without:
        async def verify(self, request):
            return not_run("no_sandbox", verifier="code")

    for verifier, right in ((Without(), None), (Sevens(), True)):
        teacher = Quick()
        with AnswerFile(tmp_path, {"model": "x"}, name="m") as file:
            (sample,) = asyncio.run(Sampling(teacher, verifier, plan(["q"]), answers=file).run())
        assert sample.right is right
    assert teacher.asked == 0


@pytest.mark.parametrize("reason", ["repetition", "second_think", "language"])
def test_an_answer_that_was_broken_off_is_wrong_without_a_check(reason):
    class Looping(Quick):
        async def generate(self, request):
            return Generation(text="7", finish_reason=reason, prompt_tokens=1, completion_tokens=1, duration_s=0.0)

    class Never:
        async def verify(self, request):
            raise AssertionError("judged")

    (sample,) = asyncio.run(Sampling(Looping(), Never(), plan(["q"])).run())
    assert (sample.right, sample.finished) == (False, False)
