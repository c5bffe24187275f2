"""What the environment does to a client's requests, and what it must not do."""

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path

import pytest
from aiohttp import web

from reasonmill.engine.teachers.faults import NotTaken
from reasonmill.engine.teachers.http_client import HttpClient


@asynccontextmanager
async def serving(seen: list[web.Request]) -> AsyncIterator[str]:
    """Address of a server that keeps every request and sets a cookie."""

    async def answer(request: web.Request) -> web.Response:
        seen.append(request)
        return web.Response(text="well", headers={"Set-Cookie": "node=7; Path=/"})

    app = web.Application()
    app.router.add_route("*", "/{path:.*}", answer)
    runner = web.AppRunner(app, shutdown_timeout=0.1)
    await runner.setup()
    try:
        await web.TCPSite(runner, "127.0.0.1", 0).start()
        yield f"http://127.0.0.1:{runner.addresses[0][1]}"
    finally:
        await runner.cleanup()


async def ask(client: HttpClient, url: str) -> str:
    async with client.post(url, b"{}") as stream:
        return (await stream.read()).text


def test_a_netrc_that_knows_the_host_does_not_get_in_the_way_of_the_key(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    (tmp_path / "netrc").write_text("default login someone password other\n")
    (tmp_path / "netrc").chmod(0o600)
    monkeypatch.setenv("NETRC", str(tmp_path / "netrc"))
    seen: list[web.Request] = []

    async def run() -> None:
        async with serving(seen) as url, HttpClient({"Authorization": "Bearer secret"}, stall_limit_s=9.0) as client:
            assert await ask(client, url) == "well"

    asyncio.run(run())
    assert seen[0].headers["Authorization"] == "Bearer secret"


@pytest.mark.parametrize("scheme", ["http://", ""])
def test_a_proxy_of_the_environment_is_asked_but_for_hosts_that_need_none(
    monkeypatch: pytest.MonkeyPatch, scheme: str
) -> None:
    seen: list[web.Request] = []

    async def run() -> None:
        async with serving(seen) as proxy:
            monkeypatch.setenv("http_proxy", scheme + proxy.removeprefix("http://"))
            monkeypatch.setenv("no_proxy", "127.0.0.1,localhost")
            async with HttpClient({}, stall_limit_s=9.0) as client:
                for url in ("http://teacher.invalid/v1", proxy, "http://teacher.invalid/v1"):
                    assert await ask(client, url) == "well"

    asyncio.run(run())
    assert [request.host == "teacher.invalid" for request in seen] == [True, False, True]


def test_a_balancers_cookie_is_not_sent_back() -> None:
    seen: list[web.Request] = []

    async def run() -> None:
        async with serving(seen) as url, HttpClient({}, stall_limit_s=9.0) as client:
            for _ in range(2):
                await ask(client, url)

    asyncio.run(run())
    assert [request.headers.get("Cookie") for request in seen] == [None, None]


def test_a_name_that_is_not_known_any_more_is_a_server_that_nobody_reaches() -> None:
    async def run() -> None:
        async with HttpClient({}, stall_limit_s=9.0) as client:
            with pytest.raises(NotTaken, match="the name is not known") as fault:
                await ask(client, "http://no-such-host.invalid:1/v1")
            assert fault.value.unreachable

    asyncio.run(run())
