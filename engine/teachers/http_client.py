"""HTTP of the endpoint teachers: the one file here that imports aiohttp. Whatever goes wrong on the way comes out as a
fault that says whether the server may have begun to answer.
"""

import asyncio
import contextlib
import resource
from collections.abc import AsyncIterator, Mapping
from contextlib import asynccontextmanager
from dataclasses import dataclass
from urllib.parse import urlsplit
from urllib.request import getproxies, proxy_bypass

import aiohttp

from reasonmill.engine.teachers.faults import NotTaken
from reasonmill.engine.teachers.protocol import TeacherFault

CONNECT_LIMIT_S = 10.0
_DRAIN_LIMIT_S = 1.0
MAX_BODY_BYTES = 64 * 2**20  # of a response that is read whole


@dataclass(frozen=True, kw_only=True, slots=True)
class Response:
    """Head of a response, and its body where it was read whole."""

    status: int
    content_type: str
    retry_after: str | None
    location: str | None
    body: bytes = b""

    @property
    def text(self) -> str:
        """The body in one line of at most 400 characters, for messages."""
        return " ".join(self.body.decode("utf-8", "replace").split())[:400]


class HttpStream:
    """A response that is being read. Leaving its block before the end closes the connection: the server aborts."""

    def __init__(self, response: aiohttp.ClientResponse, head: Response) -> None:
        self._response = response
        self.head = head

    async def pieces(self) -> AsyncIterator[bytes]:
        """The body as it arrives. Raises TeacherFault where it breaks off or stalls."""
        try:
            async for piece in self._response.content.iter_any():
                yield piece
        except TimeoutError as stall:
            raise TeacherFault("the stream stalled") from stall
        except (aiohttp.ClientError, OSError) as broken:
            raise TeacherFault(f"the stream broke off: {_said(broken)}") from broken

    async def drain(self) -> None:
        """All has been said: read the end, so that the connection can serve again; give it a second."""
        with contextlib.suppress(TimeoutError, TeacherFault):
            async with asyncio.timeout(_DRAIN_LIMIT_S):
                async for _ in self.pieces():
                    pass

    async def read(self) -> Response:
        """The whole response, cut at MAX_BODY_BYTES."""
        body = bytearray()
        async for piece in self.pieces():
            body += piece
            if len(body) > MAX_BODY_BYTES:
                raise TeacherFault(f"a response of more than {MAX_BODY_BYTES} bytes")
        head = self.head
        return Response(
            status=head.status,
            content_type=head.content_type,
            retry_after=head.retry_after,
            location=head.location,
            body=bytes(body),
        )


class HttpClient:
    """Connections to any number of servers, as many as are needed. Use as `async with`."""

    def __init__(self, headers: Mapping[str, str], *, stall_limit_s: float) -> None:
        self._headers = dict(headers)
        self._timeout = aiohttp.ClientTimeout(total=None, sock_connect=CONNECT_LIMIT_S, sock_read=stall_limit_s)
        self._session: aiohttp.ClientSession | None = None
        self._proxies: dict[str, str | None] = {}  # by scheme and host

    async def __aenter__(self) -> "HttpClient":
        _raise_file_limit()
        self._session = aiohttp.ClientSession(
            connector=aiohttp.TCPConnector(limit=0, ttl_dns_cache=60),
            headers=self._headers,
            timeout=self._timeout,
            read_bufsize=2**16,
            cookie_jar=aiohttp.DummyCookieJar(),  # a balancer's cookie would tie every request to one server
        )
        return self

    async def __aexit__(self, *_: object) -> None:
        if self._session is not None:
            await self._session.close()

    async def get(self, url: str, *, limit_s: float) -> Response:
        """The whole response. Raises NotTaken or TeacherFault."""
        try:
            async with asyncio.timeout(limit_s), self._open("GET", url, None) as stream:
                return await stream.read()
        except TimeoutError:
            raise NotTaken(f"{url} did not answer in {limit_s:g} s", unreachable=True) from None

    @asynccontextmanager
    async def post(self, url: str, body: bytes) -> AsyncIterator[HttpStream]:
        """A JSON body's response, from its head on. Raises NotTaken where none came."""
        async with self._open("POST", url, body) as stream:
            yield stream

    @asynccontextmanager
    async def _open(self, method: str, url: str, body: bytes | None) -> AsyncIterator[HttpStream]:
        assert self._session is not None, "an HttpClient is used inside `async with`"
        headers = {"Content-Type": "application/json"} if body is not None else {}
        try:
            response = await self._session.request(
                method, url, data=body, headers=headers, allow_redirects=False, proxy=self._proxy(url)
            )
        except (aiohttp.ClientConnectorError, aiohttp.ServerTimeoutError, TimeoutError) as unreachable:
            unanswered = isinstance(unreachable, aiohttp.SocketTimeoutError)
            raise NotTaken(_said(unreachable), unreachable=not unanswered) from unreachable
        except (aiohttp.ClientError, OSError, ValueError) as broken:  # reset before the head, say
            raise NotTaken(f"no response: {_said(broken)}") from broken
        try:
            yield HttpStream(response, _head(response))
        finally:
            if response.content.at_eof():
                response.release()
            else:
                response.close()

    def _proxy(self, url: str) -> str | None:
        """The proxy that the environment names for this server, looked up once: aiohttp's own trust_env reads
        environment and ~/.netrc in two threads for every request, and refuses a key where netrc knows the host.
        """
        parts = urlsplit(url)
        place = f"{parts.scheme}://{parts.netloc}"
        if place not in self._proxies:
            self._proxies[place] = _proxy_of(parts.scheme, parts.hostname or "")
        return self._proxies[place]


def _proxy_of(scheme: str, host: str) -> str | None:
    """http_proxy, https_proxy, no_proxy, in either case."""
    proxy = None if proxy_bypass(host) else getproxies().get(scheme)
    return f"http://{proxy}" if proxy and "://" not in proxy else proxy or None


def _head(response: aiohttp.ClientResponse) -> Response:
    return Response(
        status=response.status,
        content_type=response.content_type,
        retry_after=response.headers.get("Retry-After"),
        location=response.headers.get("Location"),
    )


def _said(error: BaseException) -> str:
    kind = type(error).__name__
    if isinstance(error, aiohttp.ClientConnectorDNSError):
        kind = "the name is not known"
    elif isinstance(error, aiohttp.ClientSSLError):
        kind = "TLS fails"
    return f"{kind}: {' '.join(str(error).split())}"[:400]


def _raise_file_limit() -> None:
    """Let this process have as many connections open as the system allows: the usual 1,024 are few."""
    _, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    with contextlib.suppress(ValueError, OSError):
        resource.setrlimit(resource.RLIMIT_NOFILE, (hard, hard))
