"""Opens an endpoint teacher: its key, its connections, one replica for each base_url, and a first contact with each."""

import asyncio
import os
from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager

from reasonmill.engine.teachers.endpoint import EndpointReplica, EndpointSettings
from reasonmill.engine.teachers.faults import TeacherLost
from reasonmill.engine.teachers.http_client import HttpClient
from reasonmill.engine.teachers.protocol import TeacherFault
from reasonmill.engine.teachers.replica_set import ReplicaSet
from reasonmill.engine.teachers.replica_settings import BalanceSettings
from reasonmill.engine.teachers.settings import TeacherSettings

CONTACT_LIMIT_S = 30.0  # for the first of the servers to say what it serves
_CONTACT_PAUSE_S = 1.0


@asynccontextmanager
async def open_endpoint(settings: TeacherSettings) -> AsyncIterator[ReplicaSet]:
    """The teacher over all its servers; at least one has answered.

    Raises ValueError for a key that is not set, TeacherLost where no server can be used, with each one's reason.
    """
    async with open_client(settings, read_key(settings)) as client:
        asked = endpoint_settings(settings, model=settings.model)
        replicas = [EndpointReplica(url, asked, client) for url in settings.base_urls]
        await first_contact(replicas)
        async with ReplicaSet(
            settings.name, replicas, BalanceSettings(outage_limit_s=settings.outage_limit_s)
        ) as opened:
            yield opened


def read_key(settings: TeacherSettings) -> str | None:
    """The API key. Raises ValueError where its variable is not set."""
    if settings.api_key_env is None:
        return None
    key = os.environ.get(settings.api_key_env, "").strip()
    if not key:
        raise ValueError(f"api_key_env: the environment variable {settings.api_key_env!r} is not set")
    return key


def open_client(settings: TeacherSettings, key: str | None) -> HttpClient:
    """Connections that carry the key and give a stream up that stalls."""
    headers = {"Authorization": f"Bearer {key}"} if key else {}
    return HttpClient(headers, stall_limit_s=settings.stall_limit_s)


def endpoint_settings(settings: TeacherSettings, *, model: str | None) -> EndpointSettings:
    """What a server of this teacher is asked for."""
    return EndpointSettings(
        model=model,
        temperature=settings.temperature,
        top_p=settings.top_p,
        top_k=settings.top_k,
        max_tokens=settings.max_tokens,
        system_prompt=settings.system_prompt,
        generation_prompt=settings.generation_prompt,
        max_num_seqs=settings.max_num_seqs,
        request_limit_s=settings.request_limit_s,
        key_name=settings.api_key_env,
        loop_breaker=settings.loop_breaker,
    )


async def first_contact(replicas: Sequence[EndpointReplica]) -> None:
    """Return as soon as one has said what it serves. Raises TeacherLost with every one's reason when none does in
    CONTACT_LIMIT_S, or at once where all of them have to be mended.
    """
    reasons: dict[str, TeacherFault] = {}

    async def contact(replica: EndpointReplica) -> None:
        while True:
            try:
                await replica.discover()
                return
            except TeacherFault as fault:
                reasons[replica.name] = fault
                if isinstance(fault, TeacherLost):
                    raise
            await asyncio.sleep(_CONTACT_PAUSE_S)

    waiting = {asyncio.ensure_future(contact(replica)) for replica in replicas}
    tasks = set(waiting)
    deadline = asyncio.get_running_loop().time() + CONTACT_LIMIT_S
    try:
        while waiting and (left_s := deadline - asyncio.get_running_loop().time()) > 0.0:
            done, waiting = await asyncio.wait(waiting, timeout=left_s, return_when=asyncio.FIRST_COMPLETED)
            if any(task.exception() is None for task in done):
                return
    finally:
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)
    told = "; ".join(f"{name}: {str(fault).removeprefix(f'{name}: ')}" for name, fault in reasons.items())
    raise TeacherLost(f"no server can be used: {told or f'none answered in {CONTACT_LIMIT_S:g} s'}")
