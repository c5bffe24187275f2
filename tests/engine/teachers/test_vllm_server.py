"""A real vLLM server as a replica, with the embedded teacher. It takes most of a minute to start on two cores."""

import asyncio
from pathlib import Path

import pytest

from reasonmill.engine.records import Message
from reasonmill.engine.teachers.protocol import Generation, GenerationRequest, RequestRefused
from reasonmill.engine.teachers.replicas import open_replicas
from reasonmill.engine.teachers.settings import TeacherSettings

EMBEDDED = Path(__file__).parents[3] / "engine" / "embedded" / "tiny_teacher"


def request(text: str, seed: int) -> GenerationRequest:
    messages = (Message(role="user", content=text),)
    return GenerationRequest(query_id=text, number=1, seed=seed, messages=messages)


@pytest.mark.slow
def test_a_vllm_server_answers_refuses_aborts_and_tells_its_load(tmp_path: Path) -> None:
    settings = TeacherSettings(
        name="served", model=str(EMBEDDED), max_model_len=256, max_num_seqs=32, temperature=1.0, cpu_threads=1
    )

    async def run() -> None:
        async with open_replicas(settings, log_dir=tmp_path) as teacher:

            async def answers() -> list[Generation]:
                asked = [request(f"What is {a} + {a + 7}?", a) for a in range(10, 42)]
                return await asyncio.gather(*(teacher.generate(one) for one in asked))

            first = await answers()
            assert {answer.finish_reason for answer in first} <= {"stop", "length"}
            formed = [a for a in first if a.text.startswith("<think>") and "</answer>" in a.text]
            assert len(formed) > len(first) / 2
            assert all(answer.prompt_tokens > 5 and answer.completion_tokens > 5 for answer in first)
            assert [a.text for a in await answers()] == [a.text for a in first]  # the seed decides
            with pytest.raises(RequestRefused, match="maximum context length is 256 tokens"):
                await teacher.generate(request("What is 1 + 1? " * 100, 1))
            cancelled = [asyncio.ensure_future(teacher.generate(request("What is 5 + 5?", a))) for a in range(32)]
            await asyncio.sleep(0.05)
            for task in cancelled:
                task.cancel()
            await asyncio.gather(*cancelled, return_exceptions=True)
            replica = teacher._lanes[0].replica
            async with asyncio.timeout(20):
                while (load := await replica.load()) is None or load.running + load.waiting > 0:
                    await asyncio.sleep(0.1)

    asyncio.run(run())
