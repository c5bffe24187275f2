"""The embedding rule: with the real packaged model once, then its process's life and death."""

import asyncio
import os
import signal
import subprocess
import sys
import time
from collections.abc import Callable
from pathlib import Path

import pytest

from reasonmill.engine.curate import encoder_process
from reasonmill.engine.curate.decontaminate import EvaluationItem
from reasonmill.engine.curate.embedding_model import encoder_missing, model_folder
from reasonmill.engine.curate.embeddings import EmbeddingDecontaminator
from reasonmill.engine.curate.settings import CurateSettings, EmbeddingSettings
from reasonmill.engine.faults import RunFailed
from reasonmill.engine.records import Message, Query

EXAM = EvaluationItem(id="x1", text="How many legs do seven spiders and three dogs have together?", set_name="exam")
HELD_BACK = EvaluationItem(id="h1", text="Which river flows through Vienna?", set_name="held", rules=("containment",))

# stands in for the worker: vectors of two dimensions, by what the text says
FAKE_WORKER = """
import os, sys, time
import numpy as np, orjson
from reasonmill.engine.curate.embedding_frames import framed, read_frame
def vector(text):
    if text == "die":
        os._exit(7)
    if text == "hang":
        time.sleep(60)
    if text.startswith("once ") and not os.path.exists(text[5:]):
        open(text[5:], "w").close()
        print("out of memory", file=sys.stderr, flush=True)
        os._exit(9)
    return [1.0, 0.0] if "spider" in text else [0.9, 0.19 ** 0.5] if "at the threshold" in text else [0.0, 1.0]
def vectors():
    return np.frombuffer(read_frame(sys.stdin.buffer), np.float32).reshape(-1, 2)
out = sys.stdout.buffer
out.write(framed(orjson.dumps({"dimension": 2, "identity": "fake", "device": "cpu"})))
out.flush()
while (request := read_frame(sys.stdin.buffer)) is not None:
    asked = orjson.loads(request)
    if asked["do"] == "encode":
        texts = [text.split(" || ") for text in asked["texts"]]
        out.write(framed(orjson.dumps({"counts": [len(pieces) for pieces in texts]})))
        out.write(framed(np.array([vector(piece) for pieces in texts for piece in pieces], np.float32).tobytes()))
    elif asked["do"] == "hold":
        held = vectors()
    else:
        cosines = np.round((vectors() @ held.T).astype(np.float64), 6)
        out.write(framed(cosines.argmax(axis=1).astype(np.int64).tobytes()))
        out.write(framed(cosines.max(axis=1).tobytes()))
    out.flush()
"""


def query(text: str) -> Query:
    return Query(id=f"id of {text}", messages=(Message(role="user", content=text),), category="math", source="test")


def settings(**fields: object) -> CurateSettings:
    return CurateSettings(embeddings=EmbeddingSettings(**fields))


@pytest.fixture
def fake_worker(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(encoder_process, "_COMMAND", ("-c", FAKE_WORKER))


async def verdicts(decontaminator: EmbeddingDecontaminator, *texts: str) -> list[str | None]:
    rejects = await decontaminator.check([query(text) for text in texts])
    return [reject and reject.reason for reject in rejects]


def test_the_packaged_model_finds_a_paraphrase_and_leaves_other_questions() -> None:
    async def run() -> None:
        async with EmbeddingDecontaminator([EXAM, HELD_BACK], settings()) as decontaminator:
            texts = [
                "How many legs do seven spiders and three dogs have altogether?",
                "Which river flows through Vienna?",
                "",
                "a lone surrogate \ud800 is no crash",
                "What is the derivative of x^2? " * 200,
            ]
            rejects = await decontaminator.check([query(text) for text in texts])
            assert [r is not None for r in rejects] == [True, False, False, False, False]
            assert rejects[0] is not None
            assert rejects[0].stage == "decontaminate"
            assert rejects[0].reason == "contaminated_embedding"
            evidence = dict(rejects[0].evidence)
            assert 0.9 < evidence.pop("cosine") < 1.0
            expected = {"item": "x1", "evaluation_set": "exam", "rule": "embedding", "matched": EXAM.text}
            assert evidence == expected

    asyncio.run(run())


@pytest.mark.usefixtures("fake_worker")
def test_a_cosine_equal_to_the_threshold_is_kept() -> None:
    async def run() -> None:
        async with EmbeddingDecontaminator([EXAM], settings()) as decontaminator:
            found = await verdicts(decontaminator, "a spider", "at the threshold", "else")
            assert found == ["contaminated_embedding", None, None]
        async with EmbeddingDecontaminator([EXAM], settings(threshold=0.89)) as decontaminator:
            assert await verdicts(decontaminator, "at the threshold") == ["contaminated_embedding"]

    asyncio.run(run())


@pytest.mark.usefixtures("fake_worker")
def test_a_worker_that_dies_is_replaced_and_no_text_is_lost(tmp_path: Path) -> None:
    async def run() -> None:
        async with EmbeddingDecontaminator([EXAM], settings()) as decontaminator:
            texts = ["a spider", f"once {tmp_path / 'died'}", "else"]
            assert await verdicts(decontaminator, *texts) == ["contaminated_embedding", None, None]
            assert await verdicts(decontaminator, "a spider") == ["contaminated_embedding"]

    asyncio.run(run())


@pytest.mark.usefixtures("fake_worker")
@pytest.mark.parametrize(
    ("text", "deadline_s", "cause"), [("die", 60.0, "exit status 7"), ("hang", 0.5, r"no answer within 0\.5 s")]
)
def test_a_worker_that_keeps_dying_or_hanging_ends_in_an_error_with_the_cause(
    text: str, deadline_s: float, cause: str
) -> None:
    async def run() -> None:
        async with EmbeddingDecontaminator([EXAM], settings()) as decontaminator:
            assert decontaminator._encoder is not None
            decontaminator._encoder._settings = EmbeddingSettings(deadline_s=deadline_s)
            with pytest.raises(RunFailed, match=f"the embedding encoder died 3 times; the last time: {cause}"):
                await decontaminator.check([query(text)])
            assert decontaminator.encoder_pid is None

    asyncio.run(run())


@pytest.mark.usefixtures("fake_worker")
def test_a_cancelled_check_does_not_leave_its_answer_to_the_next() -> None:
    async def run() -> None:
        async with EmbeddingDecontaminator([EXAM], settings()) as decontaminator:
            hanging = asyncio.create_task(decontaminator.check([query("hang")]))
            await asyncio.sleep(0.2)
            hanging.cancel()
            await asyncio.gather(hanging, return_exceptions=True)
            assert hanging.cancelled()
            assert await verdicts(decontaminator, "a spider", "else") == ["contaminated_embedding", None]

    asyncio.run(run())


@pytest.mark.usefixtures("fake_worker")
def test_checks_at_the_same_time_get_their_own_answers() -> None:
    async def run() -> None:
        async with EmbeddingDecontaminator([EXAM], settings()) as decontaminator:
            texts = [["a spider", "else"], ["else"], ["else", "else", "a spider"]] * 5
            found = await asyncio.gather(*(verdicts(decontaminator, *batch) for batch in texts))
            expected = [["contaminated_embedding" if "spider" in t else None for t in batch] for batch in texts]
            assert found == expected

    asyncio.run(run())


@pytest.mark.usefixtures("fake_worker")
def test_no_process_is_left_behind() -> None:
    async def run() -> int:
        async with EmbeddingDecontaminator([EXAM], settings()) as decontaminator:
            pid = decontaminator.encoder_pid
            assert pid is not None
            return pid

    pid = asyncio.run(run())
    with pytest.raises(ProcessLookupError):
        os.kill(pid, 0)


def test_without_items_of_the_rule_no_process_starts() -> None:
    async def run() -> None:
        async with EmbeddingDecontaminator([HELD_BACK], settings()) as decontaminator:
            assert decontaminator.encoder_pid is None
            assert await verdicts(decontaminator, HELD_BACK.text) == [None]
        async with EmbeddingDecontaminator([EXAM], settings(enabled=False)) as decontaminator:
            assert decontaminator.encoder_pid is None

    asyncio.run(run())


def test_a_model_that_is_not_there_is_a_mistake_of_the_recipe(tmp_path: Path) -> None:
    with pytest.raises(ValueError, match=r"embeddings\.model: .* is no folder of a sentence-transformers model"):
        model_folder(str(tmp_path))
    assert "is no folder" in str(encoder_missing(EmbeddingSettings(model=str(tmp_path))))
    assert encoder_missing(EmbeddingSettings()) is None

    async def run() -> None:
        async with EmbeddingDecontaminator([EXAM], settings(model=str(tmp_path))):
            raise AssertionError("entered without a model")

    with pytest.raises(ValueError, match=r"the embedding model cannot be loaded: .* is no folder"):
        asyncio.run(run())


PARENT = """
import subprocess, sys, time
command = [sys.executable, "-m", "reasonmill.engine.curate.embedding_worker", "", "float32", "cpu", "8"]
worker = subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
print(worker.pid, flush=True)
time.sleep(60)
"""


def ignores_interrupts(pid: int) -> bool:
    status = Path(f"/proc/{pid}/status").read_text()
    ignored = next(line for line in status.splitlines() if line.startswith("SigIgn"))
    return bool(int(ignored.split()[1], 16) >> (signal.SIGINT - 1) & 1)


def is_running(pid: int) -> bool:
    try:
        return ") Z" not in Path(f"/proc/{pid}/stat").read_text()
    except FileNotFoundError:
        return False


def until(condition: Callable[[], bool], what: str) -> None:
    deadline = time.monotonic() + 30
    while not condition():
        assert time.monotonic() < deadline, what
        time.sleep(0.02)


def test_the_worker_leaves_interrupts_to_its_parent_and_dies_with_it() -> None:
    environment = {**os.environ, "PYTHONSAFEPATH": "1"}
    with subprocess.Popen([sys.executable, "-c", PARENT], stdout=subprocess.PIPE, env=environment) as parent:
        assert parent.stdout is not None
        worker = int(parent.stdout.readline())
        until(lambda: ignores_interrupts(worker), "the worker ignores SIGINT")
        os.kill(worker, signal.SIGINT)
        assert is_running(worker)
        parent.kill()
        until(lambda: not is_running(worker), "the worker is gone")
