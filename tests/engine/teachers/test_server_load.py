"""How full a server says that it is."""

from reasonmill.engine.teachers.protocol import ReplicaLoad
from reasonmill.engine.teachers.server_load import parse_load


def test_the_engines_of_a_vllm_server_are_added_up_and_its_fullest_cache_counts() -> None:
    page = (
        b"# HELP vllm:num_requests_running Number\n# TYPE vllm:num_requests_running gauge\n"
        b'vllm:num_requests_running{engine="0",model_name="a{b}"} 3.0\nvllm:num_requests_running{engine="1"} 4\n'
        b'vllm:num_requests_waiting{engine="0"} 2.0\nvllm:num_requests_waiting_total 9\n'
        b'vllm:kv_cache_usage_perc{engine="0"} 0.25\nvllm:kv_cache_usage_perc{engine="1"} 5e-1\n'
    )
    assert parse_load(page) == ReplicaLoad(running=7, waiting=2, kv_cache_usage=0.5)


def test_older_vllm_and_sglang_are_understood() -> None:
    old = b"vllm:num_requests_running 1.0\nvllm:gpu_cache_usage_perc 0.75\n"
    assert parse_load(old) == ReplicaLoad(running=1, waiting=0, kv_cache_usage=0.75)
    other = b"sglang:num_running_reqs 2\nsglang:num_queue_reqs 1\nsglang:token_usage 0.1\n"
    assert parse_load(other) == ReplicaLoad(running=2, waiting=1, kv_cache_usage=0.1)


def test_a_page_that_tells_something_else_tells_no_load() -> None:
    for page in (
        b"",
        b"<html></html>",
        b"process_cpu_seconds_total 5\n",
        b"vllm:kv_cache_usage_perc NaN\n",
        b"\xff\x00",
    ):
        assert parse_load(page) is None
