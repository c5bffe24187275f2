"""Plain vLLM as a peer, in a process of its own: `LLM.generate` on a list of prompts, once for each line of stdin.

`python -P -m reasonmill.bench.plain_vllm SETTINGS.json`, a file of {"model", "prompts", "max_tokens", "options"}. It
says `ready`, then for each line that it reads, a seed, `round SECONDS TOKENS`, all on stderr. It is started with the
environment of an engine of ours.
"""

import os
import sys
import time
from pathlib import Path

import orjson

from reasonmill.engine.flow.lifeline import die_with_parent
from reasonmill.engine.teachers.cpu_flavour import hide_broken_modules


def main() -> None:
    """Serve rounds until stdin ends."""
    die_with_parent()
    hide_broken_modules()
    os.environ.setdefault("VLLM_ENABLE_V1_MULTIPROCESSING", "0")  # its best on two cores
    given = orjson.loads(Path(sys.argv[1]).read_bytes())
    from vllm import LLM, SamplingParams

    llm = LLM(model=given["model"], disable_log_stats=True, **given["options"])
    tokenizer = llm.get_tokenizer()
    prompts = [
        {
            "prompt_token_ids": tokenizer.encode(
                tokenizer.apply_chat_template(
                    [{"role": "user", "content": prompt}], tokenize=False, add_generation_prompt=True
                ),
                add_special_tokens=False,
            )
        }
        for prompt in given["prompts"]
    ]
    print("ready", file=sys.stderr, flush=True)
    for line in sys.stdin:
        base = int(line)
        sampling = [
            SamplingParams(seed=base + number, temperature=1.0, max_tokens=given["max_tokens"])
            for number in range(len(prompts))
        ]
        began = time.perf_counter()
        outputs = llm.generate(prompts, sampling, use_tqdm=False)
        seconds = time.perf_counter() - began
        print(
            "round", seconds, sum(len(output.outputs[0].token_ids) for output in outputs), file=sys.stderr, flush=True
        )


if __name__ == "__main__":
    main()
