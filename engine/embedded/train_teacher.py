"""Trains the tiny teacher that is shipped: `python -m reasonmill.engine.embedded.train_teacher --output DIR`.

A fixed number of steps on a fixed seed and one thread, so that the same versions on the same kind of processor give
the same weights. The budget is chosen so that about every second answer is wrong: rejection is real.
"""

import argparse
import itertools
import os
import platform
import shutil
import sys
import time
from collections import Counter
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any

import torch
import transformers

from reasonmill.engine.embedded.questions import WorkedQuestion
from reasonmill.engine.embedded.tasks import MIX, mixed_questions
from reasonmill.engine.embedded.tiny_model import load_model, load_tokenizer, new_model, sample, save_model
from reasonmill.engine.embedded.tokenizer import TURN_END, build_tokenizer

STEPS = 200  # right about half of the time: rejection is real, and what is accepted is worth learning
BATCH = 64
LEARNING_RATE = 4e-3
WEIGHT_DECAY = 0.1
WARMUP_STEPS = 40
SEED = 20250520  # of the weights and of the questions seen in training
NUM_TOKENIZER_QUESTIONS = 4000
NUM_MEASURED = 600
MEASURE_SEED = 7


def main(arguments: Sequence[str] | None = None) -> int:
    """Train, measure, write the folder; returns the exit status."""
    parser = argparse.ArgumentParser(prog="train_teacher", description=__doc__.splitlines()[0])
    parser.add_argument("--output", type=Path, required=True, help="folder to write; replaced if it exists")
    parser.add_argument("--steps", type=int, default=STEPS, help=f"optimizer steps (default {STEPS})")
    parser.add_argument("--seed", type=int, default=SEED, help=f"default {SEED}")
    options = parser.parse_args(arguments)
    if options.steps < 1:
        parser.error(f"--steps {options.steps}: at least 1")
    torch.set_num_threads(1)
    aside = options.output.with_name(options.output.name + ".partial")
    shutil.rmtree(aside, ignore_errors=True)
    build_tokenizer(itertools.islice(mixed_questions(seed=options.seed), NUM_TOKENIZER_QUESTIONS), aside)
    started = time.process_time()
    model = train(aside, steps=options.steps, seed=options.seed)
    cpu_s = time.process_time() - started
    save_model(model, aside)
    rates = measure(aside, num_questions=NUM_MEASURED, seed=MEASURE_SEED)
    (aside / "README.md").write_text(_readme(options.steps, options.seed, cpu_s, rates), encoding="utf-8")
    shutil.rmtree(options.output, ignore_errors=True)
    (aside / "model.safetensors").chmod(0o644)
    aside.rename(options.output)
    print((options.output / "README.md").read_text(encoding="utf-8"))
    return 0


def train(tokenizer_folder: Path, *, steps: int, seed: int) -> Any:
    """Model trained from random weights on `steps` batches of the mix, loss on the responses only."""
    tokenizer = load_tokenizer(tokenizer_folder)
    model = new_model(tokenizer, seed=seed).train()
    optimizer = torch.optim.AdamW(model.parameters(), lr=LEARNING_RATE, betas=(0.9, 0.95), weight_decay=WEIGHT_DECAY)
    warmup = min(WARMUP_STEPS, steps)
    schedule = transformers.get_cosine_schedule_with_warmup(optimizer, warmup, steps)
    for step, (ids, labels) in enumerate(itertools.islice(batches(tokenizer, seed=seed), steps), start=1):
        loss = model(input_ids=ids, labels=labels).loss  # causal: padding on the right needs no mask
        loss.backward()
        torch.nn.utils.clip_grad_norm_(model.parameters(), 1.0)
        optimizer.step()
        optimizer.zero_grad(set_to_none=True)
        schedule.step()
        if step % 50 == 0 or step == steps:
            print(f"step {step}/{steps} loss {loss.item():.4f}", file=sys.stderr, flush=True)
    return model.eval()


def batches(tokenizer: Any, *, seed: int) -> Iterator[tuple[torch.Tensor, torch.Tensor]]:
    """Endless (ids, labels), both int64[BATCH, T], padded on the right; prompt and padding have the label -100."""
    questions = mixed_questions(seed=seed)
    pad = tokenizer.pad_token_id
    while True:
        rows = [_encode(tokenizer, question) for question in itertools.islice(questions, BATCH)]
        length = max(len(tokens) for tokens, _ in rows)
        ids = torch.full((BATCH, length), pad)
        labels = torch.full((BATCH, length), -100)
        for row, (tokens, num_prompt) in enumerate(rows):
            ids[row, : len(tokens)] = torch.tensor(tokens)
            labels[row, num_prompt : len(tokens)] = torch.tensor(tokens[num_prompt:])
        yield ids, labels


def _encode(tokenizer: Any, question: WorkedQuestion) -> tuple[list[int], int]:
    chat = [{"role": "user", "content": question.question}]
    prompt = tokenizer.apply_chat_template(chat, tokenize=False, add_generation_prompt=True)
    prompt_ids = tokenizer(prompt, add_special_tokens=False)["input_ids"]
    response_ids = tokenizer(question.response + TURN_END, add_special_tokens=False)["input_ids"]
    return prompt_ids + response_ids, len(prompt_ids)


def measure(folder: Path, *, num_questions: int, seed: int) -> dict[str, float]:
    """Share of right answers at temperature 1 by task, and under `all`, on fresh questions of the mix."""
    questions = list(itertools.islice(mixed_questions(seed=seed), num_questions))
    model = load_model(folder).to(torch.float32)
    answers = sample(model, load_tokenizer(folder), [q.question for q in questions], seed=seed)
    asked, right = Counter[str](), Counter[str]()
    for question, answer in zip(questions, answers, strict=True):
        is_right = answer.endswith(f"</think><answer>\\boxed{{{question.gold}}}</answer>")
        for key in (question.task, "all"):
            asked[key] += 1
            right[key] += is_right
    return {key: right[key] / asked[key] for key in (*MIX, "all") if asked[key]}


def _readme(steps: int, seed: int, cpu_s: float, rates: dict[str, float]) -> str:
    figures = ", ".join(f"{task} {rate:.2f}" for task, rate in rates.items())
    versions = f"torch {torch.__version__}, transformers {transformers.__version__}, Python {platform.python_version()}"
    return (
        "# Tiny teacher\n\n"
        "Qwen3 shape, hidden 128, 3 layers, trained from random weights on the toy tasks of this package. Made by\n\n"
        "    OMP_NUM_THREADS=1 python -m reasonmill.engine.embedded.train_teacher --output DIR "
        f"--steps {steps} --seed {seed}\n\n"
        f"{steps} steps of {BATCH} questions, {cpu_s:.0f} CPU seconds on one thread; {versions}.\n\n"
        f"Right at temperature 1 on {NUM_MEASURED} fresh questions (pass@1): {figures}.\n"
    )


if __name__ == "__main__":
    os.environ.setdefault("TOKENIZERS_PARALLELISM", "false")
    raise SystemExit(main())
