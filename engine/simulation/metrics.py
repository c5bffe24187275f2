"""What a simulated server tells of itself at /metrics, in vLLM's names and Prometheus' text form."""

from collections.abc import Iterator, Mapping, Sequence

from reasonmill.engine.simulation.replica import SimulatedReplica


def metrics_text(replicas: Sequence[SimulatedReplica], model: str, finished: Mapping[str, int]) -> str:
    """The page. Gauges of several replicas behind one address come one line each, told apart by `engine`."""
    for one in replicas:
        one.settle()
    return "\n".join(_lines(replicas, model, finished)) + "\n"


def _lines(replicas: Sequence[SimulatedReplica], model: str, finished: Mapping[str, int]) -> Iterator[str]:
    batches = [one.batch for one in replicas]
    gauges = {
        "num_requests_running": [float(one.running) for one in batches],
        "num_requests_waiting": [float(one.waiting) for one in batches],
        "kv_cache_usage_perc": [one.kv_cache_usage for one in batches],
        "gpu_cache_usage_perc": [one.kv_cache_usage for one in batches],  # its name up to vLLM 0.9
    }
    counters = {
        "prompt_tokens_total": [one.prefilled for one in batches],
        "generation_tokens_total": [one.generated for one in batches],
        "num_preemptions_total": [one.preempted for one in batches],
    }
    for kind, named in (("gauge", gauges), ("counter", counters)):
        for name, values in named.items():
            yield f"# TYPE vllm:{name} {kind}"
            for engine, value in enumerate(values):
                yield f'vllm:{name}{{engine="{engine}",model_name="{model}"}} {float(value)}'
    yield "# TYPE vllm:request_success_total counter"
    for reason, number in sorted(finished.items()):
        labels = f'engine="0",finished_reason="{reason}",model_name="{model}"'
        yield f"vllm:request_success_total{{{labels}}} {float(number)}"
