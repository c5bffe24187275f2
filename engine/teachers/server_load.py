"""How full an inference server is, out of its /metrics page: vLLM's names and SGLang's."""

import re

from reasonmill.engine.teachers.protocol import ReplicaLoad

_RUNNING = (b"vllm:num_requests_running", b"sglang:num_running_reqs")
_WAITING = (b"vllm:num_requests_waiting", b"sglang:num_queue_reqs")
_USAGE = (b"vllm:kv_cache_usage_perc", b"vllm:gpu_cache_usage_perc", b"sglang:token_usage")
_SAMPLE = re.compile(
    rb"^(" + rb"|".join(map(re.escape, _RUNNING + _WAITING + _USAGE)) + rb")(?:\{[^\n]*\})?[ \t]+(\S+)", re.MULTILINE
)


def parse_load(page: bytes) -> ReplicaLoad | None:
    """The load on a Prometheus page, summed over its engines, the fullest cache counting; None without the names."""
    running = waiting = 0.0
    usage: float | None = None
    for name, value in _SAMPLE.findall(page):
        try:
            number = float(value)
        except ValueError:
            continue
        if number != number or number in (float("inf"), float("-inf")):
            continue
        if name in _USAGE:
            usage = max(usage or 0.0, number)
        elif name in _RUNNING:
            running += number
        else:
            waiting += number
    if usage is None:
        return None
    return ReplicaLoad(running=int(running), waiting=int(waiting), kv_cache_usage=min(1.0, max(0.0, usage)))
