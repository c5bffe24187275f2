"""How a vLLM server of a teacher is started: its arguments, and its share of this machine's GPUs or cores."""

import os
from pathlib import Path

import orjson

from reasonmill.engine.teachers.engine_process import engine_environment
from reasonmill.engine.teachers.settings import TeacherSettings

# Of one piece of a stream. The client's CPU a token: by 1: 3.9 us, by 4: 1.7, by 8: 1.3, by 16: 1.2, by 64: 1.1.
STREAM_TOKENS = 8
_CPU_PREFILL_TOKENS = 4096  # prompt tokens of one step on a CPU
_CPU_KV_MIB, _MOST_CPU_KV_MIB = 1024, 4096


def visible_gpus() -> list[str]:
    """GPUs that this process may use, as CUDA_VISIBLE_DEVICES names them."""
    named = os.environ.get("CUDA_VISIBLE_DEVICES")
    if named is not None:
        return [one.strip() for one in named.split(",") if one.strip() and one.strip() != "-1"]
    found = [entry.name.removeprefix("nvidia") for entry in Path("/dev").glob("nvidia[0-9]*")]
    return sorted((one for one in found if one.isdigit()), key=int)


def share_gpus(gpus: list[str], *, replicas: int, each: int) -> list[list[str]]:
    """The GPUs of each replica; empty lists on a machine without any. Raises ValueError where they do not suffice."""
    if gpus and len(gpus) < replicas * each:
        raise ValueError(
            f"data_parallel_size: {replicas} servers of {each} GPUs each (tensor_parallel_size) need {replicas * each},"
            f" {len(gpus)} are visible"
        )
    return [gpus[number * each : (number + 1) * each] for number in range(replicas)]


def server_environment(settings: TeacherSettings, gpus: list[str]) -> dict[str, str]:
    """Environment of one server. Cores are shared out by threads, not bound: on a machine with other work a bound
    thread that waits for its core holds up all the others.
    """
    cores = len(os.sched_getaffinity(0))
    threads = settings.cpu_threads or max(1, cores // 2 // settings.data_parallel_size)
    environment = engine_environment(cpu_threads=threads)
    if gpus:
        environment["CUDA_VISIBLE_DEVICES"] = ",".join(gpus)
    return environment


def server_arguments(settings: TeacherSettings, *, on_gpus: bool) -> list[str]:
    """Arguments of `vllm serve`, all but its address. The model is served under the teacher's name."""
    length = settings.max_model_len
    arguments = [
        *("--model", str(settings.model), "--served-model-name", settings.name, "--dtype", settings.dtype),
        *("--max-num-seqs", str(settings.max_num_seqs), "--stream-interval", str(STREAM_TOKENS)),
        "--disable-uvicorn-access-log",
    ]
    if length is not None:
        arguments += ["--max-model-len", str(length)]
    kv_mib = settings.kv_cache_mib
    if on_gpus:
        arguments += ["--tensor-parallel-size", str(settings.tensor_parallel_size)]
        arguments += ["--gpu-memory-utilization", str(settings.gpu_memory_utilization)]
    else:  # as vllm_local.py says: no compilation, no chunked prefill with seeds
        arguments += ["--enforce-eager", "--no-enable-chunked-prefill", "--no-enable-prefix-caching"]
        kv_mib = kv_mib or cpu_kv_cache_mib(settings)
        if length is not None:
            arguments += ["--max-num-batched-tokens", str(max(_CPU_PREFILL_TOKENS, length))]
    if kv_mib is not None:
        arguments += ["--kv-cache-memory-bytes", str(kv_mib * 2**20)]
    return arguments


def cpu_kv_cache_mib(settings: TeacherSettings) -> int:
    """Keys and values of max_num_seqs full contexts in 16 bits, at most 4 GiB; else 1 GiB."""
    try:
        config = orjson.loads((Path(str(settings.model)) / "config.json").read_bytes())
        heads = int(config["num_attention_heads"])
        head_size = int(config.get("head_dim") or config["hidden_size"] // heads)
        token_bytes = 4 * int(config["num_hidden_layers"]) * int(config.get("num_key_value_heads") or heads) * head_size
        length = settings.max_model_len or int(config["max_position_embeddings"])
    except (OSError, orjson.JSONDecodeError, KeyError, TypeError, ValueError):
        return _CPU_KV_MIB
    return min(_MOST_CPU_KV_MIB, token_bytes * (length + 128) * settings.max_num_seqs // 2**20 + 2)
