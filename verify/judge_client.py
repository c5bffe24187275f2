"""One conversation with any OpenAI-compatible endpoint: the reply's text, or JudgeUnreachable with the last cause.

At most `max_concurrency` requests are open; what may pass (refused connections, 429, 5xx, time-outs, broken replies) is
asked again with growing pauses. The only file here that loads aiohttp.
"""

import asyncio
import os
import random
import time
from types import TracebackType
from typing import TYPE_CHECKING, Any

import orjson

from reasonmill.verify.backoff import RetryPolicy, retry_after_s, worth_repeating
from reasonmill.verify.settings import JudgeSettings

if TYPE_CHECKING:
    import aiohttp

MAX_REPLY_BYTES = 8 * 2**20  # a judge's reply is a page; a longer body is nonsense
_QUOTED_CHARS = 200


class JudgeUnreachable(Exception):
    """No usable reply; the message says what came instead."""


class _Failed(Exception):
    """One try failed. `again`: another may not; `asked_s`: what the server asked to wait."""

    def __init__(self, cause: str, *, again: bool, asked_s: float | None = None) -> None:
        super().__init__(cause)
        self.again = again
        self.asked_s = asked_s


class JudgeClient:
    """`async with JudgeClient(settings) as client`; then any number of tasks `await client.ask(messages)`."""

    def __init__(self, settings: JudgeSettings) -> None:
        self._settings = settings
        self._room = asyncio.Semaphore(settings.max_concurrency)
        self._policy = RetryPolicy(max_tries=settings.max_tries, first_pause_s=settings.first_pause_s)
        self._session: aiohttp.ClientSession | None = None
        self.requests = 0  # sent over the wire, repetitions included

    async def __aenter__(self) -> "JudgeClient":
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        await self.close()

    async def close(self) -> None:
        """Close all connections."""
        if self._session is not None:
            await self._session.close()
            self._session = None

    async def ask(self, messages: list[dict[str, str]]) -> str:
        """Text of the reply. Raises JudgeUnreachable after the last try."""
        failures = 0
        while True:
            try:
                async with self._room:
                    return await self._once(messages)
            except _Failed as failed:
                failures += 1
                pause_s = (
                    self._policy.pause_s(failures, draw=random.random(), asked_s=failed.asked_s)
                    if failed.again
                    else None
                )
                if pause_s is None:
                    raise JudgeUnreachable(f"{self._settings.base_url}: {failed}") from None
            await asyncio.sleep(pause_s)

    async def _once(self, messages: list[dict[str, str]]) -> str:
        import aiohttp

        self.requests += 1
        settings = self._settings
        body = {
            "model": settings.model,
            "messages": messages,
            "temperature": settings.temperature,
            "max_tokens": settings.max_tokens,
            "seed": 0,
        }
        url = settings.base_url.rstrip("/") + "/chat/completions"
        try:
            async with self._open().post(url, data=orjson.dumps(body), headers=self._headers()) as response:
                content = await _read_capped(response)
                status, wait = response.status, response.headers.get("Retry-After")
        except TimeoutError:
            raise _Failed(f"no reply within {settings.timeout_s:g} s", again=True) from None
        except (aiohttp.InvalidURL, aiohttp.TooManyRedirects) as error:
            raise _Failed(f"{type(error).__name__}: {error}", again=False) from None
        except (aiohttp.ClientError, OSError) as error:
            raise _Failed(f"{type(error).__name__}: {error}", again=True) from None
        if status != 200:
            cause = f"status {status}: {content[:_QUOTED_CHARS].decode('utf-8', 'replace')}"
            raise _Failed(cause, again=worth_repeating(status), asked_s=retry_after_s(wait, now=time.time()))
        return _text_of(content)

    def _open(self) -> "aiohttp.ClientSession":
        import aiohttp

        if self._session is None:
            self._session = aiohttp.ClientSession(
                timeout=aiohttp.ClientTimeout(total=self._settings.timeout_s),
                connector=aiohttp.TCPConnector(limit=self._settings.max_concurrency),
            )
        return self._session

    def _headers(self) -> dict[str, str]:
        key = os.environ.get(self._settings.api_key_env, "") if self._settings.api_key_env else ""
        headers = {"Content-Type": "application/json"}
        return headers | {"Authorization": f"Bearer {key}"} if key else headers


async def _read_capped(response: "aiohttp.ClientResponse") -> bytes:
    content = bytearray()
    async for chunk in response.content.iter_chunked(2**16):
        content += chunk
        if len(content) > MAX_REPLY_BYTES:
            raise _Failed(f"a reply of more than {MAX_REPLY_BYTES} bytes", again=True)
    return bytes(content)


def _text_of(content: bytes) -> str:
    """The first choice's text. Raises _Failed for anything else."""
    try:
        reply: Any = orjson.loads(content)
        text = reply["choices"][0]["message"]["content"]
    except (orjson.JSONDecodeError, KeyError, IndexError, TypeError) as error:
        quoted = content[:_QUOTED_CHARS].decode("utf-8", "replace")
        raise _Failed(f"no chat completion ({type(error).__name__}): {quoted}", again=True) from None
    if not isinstance(text, str) or not text.strip():
        raise _Failed("an empty reply", again=True)
    return text
