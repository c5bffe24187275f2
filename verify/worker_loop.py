"""Inside a worker of the verifiers: serves JSON messages with an 8-byte length in front until the pipe ends, within a
bounded memory, and bounds each piece of work in time. The parent may kill the process at any time.

An overrun is reported, with the CPU time that it used, if the interpreter still reacts; if it does not, the parent
ends the process, and at the very last the kernel does.
"""

import json
import math
import os
import resource
import signal
import time
from collections.abc import Callable
from types import FrameType
from typing import Any, BinaryIO, TypeVar

from reasonmill.verify.lifeline import die_with_parent

_SECONDS_TO_REPORT = 1.0  # after the alarm
_REPEAT_ALARM_S = 0.25  # libraries catch exceptions in places: the alarm rings again until one gets through
_T = TypeVar("_T")


class OverLimit(BaseException):
    """The work took too long. Not an Exception, so that a library's own handlers let it pass."""


def serve(handle: Callable[[dict[str, Any]], dict[str, Any]], *, memory_mib: int, warm_up: Callable[[], None]) -> None:
    """Answer each message by `handle`, whose result gains `rss` (bytes), `cpu_s` and `cpu_before_s`. `warm_up` loads
    what starting may take its time for. `memory_mib` bounds the address space; 0 does not.
    """
    die_with_parent()
    requests, replies = _take_over_streams()
    if memory_mib:
        _bound_memory(memory_mib)
    signal.signal(signal.SIGALRM, _ring)
    warm_up()
    os.dup2(1, 2)  # until here what it says is heard: why it does not start
    statm = os.open("/proc/self/statm", os.O_RDONLY)
    reply(replies, {"ready": os.getpid()})
    while header := requests.read(8):
        request = json.loads(requests.read(int.from_bytes(header, "little")))
        began_s = time.process_time()
        told = handle(request)
        ended_s = time.process_time()
        reply(replies, told | {"rss": resident(statm), "cpu_s": ended_s - began_s, "cpu_before_s": ended_s})


def bounded(limit_s: float, work: Callable[[], _T]) -> _T:
    """The result of `work`. Raises OverLimit after so many seconds on the clock."""
    _die_at(time.process_time() + limit_s + _SECONDS_TO_REPORT)
    signal.setitimer(signal.ITIMER_REAL, limit_s, _REPEAT_ALARM_S)
    try:
        return work()
    finally:
        _silence_alarm()


def _take_over_streams() -> tuple[BinaryIO, BinaryIO]:
    """The parent's pipes; what libraries print goes nowhere."""
    requests, replies = os.fdopen(os.dup(0), "rb"), os.fdopen(os.dup(1), "wb")
    nowhere = os.open(os.devnull, os.O_RDWR)
    for stream in (0, 1):
        os.dup2(nowhere, stream)
    return requests, replies


def _bound_memory(memory_mib: int) -> None:
    limit = memory_mib * 2**20
    hard = resource.getrlimit(resource.RLIMIT_AS)[1]
    resource.setrlimit(resource.RLIMIT_AS, (limit if hard == resource.RLIM_INFINITY else min(limit, hard), hard))


def reply(stream: BinaryIO, message: dict[str, Any]) -> None:
    """Write one message."""
    body = json.dumps(message).encode("ascii")
    stream.write(len(body).to_bytes(8, "little") + body)
    stream.flush()


def _ring(_signal: int, _frame: FrameType | None) -> None:
    raise OverLimit


def resident(statm: int) -> int:
    """Bytes of memory that this process holds; `statm` is /proc/self/statm, open."""
    return int(os.pread(statm, 64, 0).split()[1]) * resource.getpagesize()


def _die_at(cpu_s: float) -> None:
    """Let the kernel end this process at that CPU time: a single huge operation hears no alarm, and a parent that was
    stopped ends nobody.
    """
    hard = resource.getrlimit(resource.RLIMIT_CPU)[1]
    soft = math.ceil(cpu_s)
    resource.setrlimit(resource.RLIMIT_CPU, (soft if hard == resource.RLIM_INFINITY else min(soft, hard), hard))


def _silence_alarm() -> None:
    while True:
        try:
            signal.setitimer(signal.ITIMER_REAL, 0.0)
            return
        except OverLimit:
            continue
