"""The HTTP server: OpenAI's forms, vLLM's metrics, faults that clients see, and a log that proves what was asked."""

import asyncio
import contextlib

import aiohttp
import orjson
import pytest

from reasonmill.engine.faults import RunFailed
from reasonmill.engine.records import Message
from reasonmill.engine.simulation.answers import AnswerModel
from reasonmill.engine.simulation.questions import simulated_query
from reasonmill.engine.simulation.serve import ServeSettings, open_servers
from reasonmill.engine.simulation.settings import FaultSettings, SimulationSettings
from reasonmill.engine.teachers.protocol import GenerationRequest
from reasonmill.verify.answer import split_response

FAST = 500.0  # times the published speed
PROMPT = simulated_query(0, 0, category="math").prompt


def serve(test, *, faults=None, settings=None, **simulation):
    """Run `test(session, addresses)` against servers that it can reach."""

    async def run():
        simulated = SimulationSettings(
            **{"text_mode": "full", "speed_up": FAST} | simulation, faults=faults or FaultSettings()
        )
        async with contextlib.AsyncExitStack() as stack:
            chosen = ServeSettings(**{"port": 0, "model": "t"} | (settings or {}))
            addresses = await open_servers(chosen, simulated, stack)
            session = await stack.enter_async_context(aiohttp.ClientSession())
            return await asyncio.wait_for(test(session, [f"http://{one}" for one in addresses]), 30.0)

    return asyncio.run(run())


def chat(prompt=PROMPT, **more):
    return {"model": "t", "messages": [{"role": "user", "content": prompt}], "seed": 1, **more}


async def stream(session, url, body):
    """Events of a stream up to [DONE]."""
    events = []
    async with session.post(url, json={**body, "stream": True}) as response:
        assert response.status == 200
        assert response.content_type == "text/event-stream"
        async for line in response.content:
            if line.startswith(b"data: "):
                if line.strip() == b"data: [DONE]":
                    return events
                events.append(orjson.loads(line[6:]))
    raise ConnectionError("the stream ended without [DONE]")


def log_lines(path):
    return [orjson.loads(line) for line in path.read_bytes().splitlines()]


def test_a_whole_answer_is_that_of_the_same_request_in_process():
    async def test(session, urls):
        async with session.post(f"{urls[0]}/v1/chat/completions", json=chat()) as response:
            return await response.json()

    answered = serve(test)
    model = AnswerModel(SimulationSettings(text_mode="full"), teacher="t", max_tokens=40_960)
    request = GenerationRequest(
        query_id="q", number=1, seed=1, messages=(Message(role="user", content=PROMPT),), category="math"
    )
    expected = model.answer(request)
    assert answered["object"] == "chat.completion"
    assert answered["choices"][0]["message"]["content"] == expected.text
    assert answered["choices"][0]["finish_reason"] == expected.finish_reason == "stop"
    assert answered["usage"]["completion_tokens"] == expected.tokens


def test_a_stream_says_piece_by_piece_what_the_whole_answer_says():
    async def test(session, urls):
        async with session.post(f"{urls[0]}/v1/chat/completions", json=chat()) as response:
            whole = await response.json()
        body = chat(stream_options={"include_usage": True})
        return whole, await stream(session, f"{urls[0]}/v1/chat/completions", body)

    whole, events = serve(test, speed_up=20.0)
    content = whole["choices"][0]["message"]["content"]
    assert events[0]["choices"][0]["delta"]["role"] == "assistant"
    assert "".join(e["choices"][0]["delta"]["content"] for e in events[:-1]) == content
    assert len(events) > 5
    assert events[-2]["choices"][0]["finish_reason"] == "stop"
    assert events[-1] == {**events[-1], "choices": [], "usage": whole["usage"]}


def test_a_stream_interval_says_how_many_tokens_a_piece_holds():
    async def test(session, urls):
        async with session.post(f"{urls[0]}/v1/chat/completions", json=chat()) as response:
            whole = await response.json()
        return whole, await stream(session, f"{urls[0]}/v1/chat/completions", chat())

    whole, events = serve(test, settings={"stream_interval": 7})
    pieces = [event["choices"][0]["delta"]["content"] for event in events[1:-1]]
    assert "".join(pieces) == whole["choices"][0]["message"]["content"]
    assert len(pieces) == -(-whole["usage"]["completion_tokens"] // 7)
    assert [one.count(" ") for one in pieces[1:-4]] == [7] * len(pieces[1:-4])
    with pytest.raises(ValueError, match="stream_interval: -1 is negative"):
        ServeSettings(stream_interval=-1)


def test_several_answers_to_one_prompt_have_seeds_of_their_own():
    async def test(session, urls):
        body = {"model": "t", "prompt": PROMPT, "n": 3, "seed": 5, "max_tokens": 40}
        async with session.post(f"{urls[0]}/v1/completions", json=body) as response:
            whole = await response.json()
        return whole, await stream(session, f"{urls[0]}/v1/completions", body)

    whole, events = serve(test)
    texts = [choice["text"] for choice in whole["choices"]]
    assert len(set(texts)) == 3
    assert whole["usage"]["completion_tokens"] == 120
    for index, text in enumerate(texts):
        assert "".join(e["choices"][0]["text"] for e in events if e["choices"][0]["index"] == index) == text


def test_an_answer_cut_by_max_tokens_is_unfinished():
    async def test(session, urls):
        async with session.post(f"{urls[0]}/v1/chat/completions", json=chat(max_completion_tokens=30)) as response:
            return await response.json()

    choice = serve(test)["choices"][0]
    assert choice["finish_reason"] == "length"
    assert not split_response(choice["message"]["content"]).finished


@pytest.mark.parametrize(
    ("body", "status", "told"),
    [
        (b"{", 400, "not JSON"),
        (b"[]", 400, "not a JSON object"),
        (b'{"model": "t"}', 400, "messages"),
        (orjson.dumps(chat(n=0)), 400, "n: 0"),
        (orjson.dumps(chat(seed="x")), 400, "seed: 'x'"),
        (orjson.dumps(chat(max_tokens=10**6)), 400, "maximum context length"),
        (orjson.dumps({**chat(), "model": "other"}), 404, "does not exist"),
    ],
)
def test_a_mistaken_request_is_told_so(body, status, told):
    async def test(session, urls):
        async with session.post(f"{urls[0]}/v1/chat/completions", data=body) as response:
            return response.status, (await response.json())["error"]["message"]

    found = serve(test)
    assert found[0] == status
    assert told in found[1]


def test_models_health_and_metrics_are_those_of_vllm():
    async def test(session, urls):
        slow = asyncio.create_task(session.post(f"{urls[0]}/v1/chat/completions", json=chat()))
        await asyncio.sleep(0.1)
        async with session.get(f"{urls[0]}/v1/models") as response:
            models = await response.json()
        async with session.get(f"{urls[0]}/health") as response:
            health = response.status
        async with session.get(f"{urls[0]}/metrics") as response:
            metrics = await response.text()
        slow.cancel()
        return models, health, metrics

    models, health, metrics = serve(test, speed_up=1.0)
    assert models["data"][0]["id"] == "t"
    assert health == 200
    values = dict(line.rsplit(" ", 1) for line in metrics.splitlines() if not line.startswith("#"))
    labels = '{engine="0",model_name="t"}'
    assert float(values[f"vllm:num_requests_running{labels}"]) == 1.0
    assert float(values[f"vllm:kv_cache_usage_perc{labels}"]) > 0.0
    assert float(values[f"vllm:generation_tokens_total{labels}"]) >= 0.0


def test_a_client_that_leaves_frees_its_place_and_the_log_says_so(tmp_path):
    log = tmp_path / "log.jsonl"

    async def test(session, urls):
        with contextlib.suppress(TimeoutError):
            await asyncio.wait_for(stream(session, f"{urls[0]}/v1/chat/completions", chat()), 0.3)
        with contextlib.suppress(TimeoutError):
            await asyncio.wait_for(session.post(f"{urls[0]}/v1/chat/completions", json=chat()), 0.3)
        for _ in range(100):
            async with session.get(f"{urls[0]}/metrics") as response:
                if 'running{engine="0",model_name="t"} 0.0' in await response.text():
                    return
            await asyncio.sleep(0.02)
        raise AssertionError("the place was never freed")

    serve(test, speed_up=1.0, settings={"log": str(log)})
    assert [line["event"] for line in log_lines(log)] == ["asked", "aborted", "asked", "aborted"]


def test_the_log_names_each_request_by_prompt_and_seed(tmp_path):
    log = tmp_path / "log.jsonl"

    async def test(session, urls):
        asks = [
            session.post(f"{urls[one % 2]}/v1/chat/completions", json=chat(seed=one, max_tokens=50))
            for one in range(10)
        ]
        return await asyncio.gather(*asks)

    serve(test, replicas=2, settings={"log": str(log)})
    finished = [line for line in log_lines(log) if line["event"] == "finished"]
    assert sorted(line["seed"] for line in finished) == list(range(10))
    assert {line["replica"] for line in finished} == {"t-0", "t-1"}
    assert len({line["query"] for line in finished}) == 1


async def ask_once(session, url, **more):
    """What a client sees: a status, or the kind of failure."""
    try:
        async with session.post(f"{url}/v1/chat/completions", json=chat(**more)) as response:
            if response.status != 200:
                return response.status
            body = await response.read()
    except aiohttp.ClientError:
        return "broken"
    try:
        return "answered" if orjson.loads(body)["choices"] else "odd"
    except orjson.JSONDecodeError:
        return "no JSON" if body else "empty"


@pytest.mark.parametrize(
    ("fault", "seen"),
    [
        ("busy_rate", 429),
        ("error_rate", 500),
        ("malformed_rate", "no JSON"),
        ("empty_rate", "empty"),
        ("drop_rate", "broken"),
    ],
)
def test_each_fault_is_what_clients_of_real_servers_see(fault, seen):
    async def test(session, urls):
        return await ask_once(session, urls[0])

    assert serve(test, faults=FaultSettings(**{fault: 1.0})) == seen


def test_a_stream_that_is_dropped_ends_without_its_end():
    async def test(session, urls):
        with pytest.raises((aiohttp.ClientError, ConnectionError)):
            await stream(session, f"{urls[0]}/v1/chat/completions", chat())
        return True

    assert serve(test, faults=FaultSettings(drop_rate=1.0))


def test_a_refused_request_is_told_when_to_come_back():
    async def test(session, urls):
        async with session.post(f"{urls[0]}/v1/chat/completions", json=chat()) as response:
            return response.headers["Retry-After"]

    assert serve(test, faults=FaultSettings(busy_rate=1.0, retry_after_s=2.5)) == "2.5"


def test_faults_can_be_switched_on_and_off_while_it_runs():
    async def test(session, urls):
        seen = [await ask_once(session, urls[0])]
        await session.put(f"{urls[0]}/simulation/faults", json={"error_rate": 1.0})
        seen.append(await ask_once(session, urls[0]))
        await session.put(f"{urls[0]}/simulation/faults", json={"error_rate": 0.0})
        seen.append(await ask_once(session, urls[0]))
        async with session.put(f"{urls[0]}/simulation/faults", json={"bad_luck": 1.0}) as response:
            seen.append(response.status)
        return seen

    assert serve(test) == ["answered", 500, "answered", 400]


def test_a_server_that_died_breaks_what_is_open_answers_nothing_and_comes_back():
    async def test(session, urls):
        open_one = asyncio.create_task(ask_once(session, urls[0]))
        await asyncio.sleep(0.05)
        await session.post(f"{urls[0]}/simulation/die", json={"down_s": 0.3})
        seen = [await open_one, await ask_once(session, urls[0], max_tokens=5)]
        with pytest.raises(aiohttp.ClientError):
            await session.get(f"{urls[0]}/health")
        await asyncio.sleep(0.4)
        return [*seen, await ask_once(session, urls[0], max_tokens=5)]

    assert serve(test, speed_up=10.0) == ["broken", "broken", "answered"]


def test_replicas_behind_one_port_share_the_requests():
    async def test(session, urls):
        await asyncio.gather(*(ask_once(session, urls[0], seed=one, max_tokens=2000) for one in range(8)))
        async with session.get(f"{urls[0]}/metrics") as response:
            return urls, await response.text()

    urls, metrics = serve(test, replicas=4, speed_up=50.0, settings={"one_port": True})
    made = [line for line in metrics.splitlines() if line.startswith("vllm:generation_tokens_total")]
    assert len(urls) == 1
    assert len(made) == 4
    assert all(float(line.rsplit(" ", 1)[1]) > 0.0 for line in made)


def test_a_taken_port_is_said():
    async def test(session, urls):
        port = int(urls[0].rsplit(":", 1)[1])
        async with contextlib.AsyncExitStack() as stack:
            with pytest.raises(RunFailed, match=f"cannot listen on 127.0.0.1:{port}"):
                await open_servers(ServeSettings(port=port), SimulationSettings(), stack)
        return True

    assert serve(test)


def test_settings_that_cannot_be_meant_are_refused():
    with pytest.raises(ValueError, match="port: 70000"):
        ServeSettings(port=70_000)
    with pytest.raises(ValueError, match="category: 'poems'"):
        ServeSettings(category="poems")
    with pytest.raises(ValueError, match=r"drop_rate: 1\.5"):
        FaultSettings(drop_rate=1.5)
    with pytest.raises(ValueError, match="above 1"):
        FaultSettings(drop_rate=0.6, error_rate=0.6)
    with pytest.raises(ValueError, match="lengths: 'GPT'"):
        SimulationSettings(lengths="GPT")
