"""The shipped checkpoint through transformers: it loads offline, keeps the format, and is wrong at times."""

import re
from typing import Any

import pytest
import torch
from transformers import Qwen3ForCausalLM

from reasonmill.engine.embedded import TINY_TEACHER
from reasonmill.engine.embedded.composition import held_back_queries
from reasonmill.engine.embedded.tiny_model import TINY_SHAPE, load_model, load_tokenizer, new_model, sample
from reasonmill.engine.embedded.train_teacher import measure

pytestmark = pytest.mark.filterwarnings("ignore::DeprecationWarning", "ignore::FutureWarning")
MAX_BYTES = 2 * 2**20


@pytest.fixture(scope="module")
def tokenizer() -> Any:
    return load_tokenizer(TINY_TEACHER)


def test_the_folder_is_small_and_whole() -> None:
    names = {path.name for path in TINY_TEACHER.iterdir()}
    assert names == {
        "README.md",
        "config.json",
        "generation_config.json",
        "model.safetensors",
        "tokenizer.json",
        "tokenizer_config.json",
    }
    assert sum(path.stat().st_size for path in TINY_TEACHER.iterdir()) < MAX_BYTES


def test_the_checkpoint_loads_in_bfloat16_and_has_the_shape_of_a_new_model(tokenizer: Any) -> None:
    shipped, fresh = load_model(TINY_TEACHER), new_model(tokenizer, seed=1)
    assert isinstance(shipped, Qwen3ForCausalLM)
    assert {p.dtype for p in shipped.parameters()} == {torch.bfloat16}
    shapes = {name: tuple(p.shape) for name, p in fresh.named_parameters()}
    assert {name: tuple(p.shape) for name, p in shipped.named_parameters()} == shapes
    assert {key: getattr(shipped.config, key) for key in TINY_SHAPE if key != "rope_theta"} == {
        key: value for key, value in TINY_SHAPE.items() if key != "rope_theta"
    }


def test_a_new_model_is_a_function_of_its_seed(tokenizer: Any) -> None:
    def first_weights(seed: int) -> torch.Tensor:
        return next(iter(new_model(tokenizer, seed=seed).parameters())).detach()

    assert torch.equal(first_weights(3), first_weights(3))
    assert not torch.equal(first_weights(3), first_weights(4))


def test_transformers_tokenises_as_the_file_says(tokenizer: Any) -> None:
    for text in ("What is 345 + 67?", "<think>a</think><answer>\\boxed{4}</answer>", "计算 é\u0301 🙂\n\n  x"):
        ids = tokenizer(text)["input_ids"]
        assert ids == tokenizer.backend_tokenizer.encode(text).ids
        assert tokenizer.decode(ids) == text


def test_the_chat_template_prefills_nothing_and_keeps_the_last_reasoning_only(tokenizer: Any) -> None:
    turns = [
        {"role": "system", "content": "Be brief."},
        {"role": "user", "content": "1 + 1?"},
        {"role": "assistant", "content": "<think>one more</think>2"},
        {"role": "user", "content": "2 + 2?"},
    ]
    assert tokenizer.apply_chat_template(turns, tokenize=False, add_generation_prompt=True) == (
        "<|im_start|>system\nBe brief.<|im_end|>\n<|im_start|>user\n1 + 1?<|im_end|>\n"
        "<|im_start|>assistant\n2<|im_end|>\n<|im_start|>user\n2 + 2?<|im_end|>\n<|im_start|>assistant\n"
    )
    turns.append({"role": "assistant", "content": "<think>double</think>4"})
    rendered = tokenizer.apply_chat_template(turns, tokenize=False)
    assert rendered.endswith("<|im_start|>assistant\n<think>double</think>4<|im_end|>\n")
    assert "one more" not in rendered


def test_every_second_answer_or_so_is_right() -> None:
    rates = measure(TINY_TEACHER, num_questions=60, seed=1)
    assert 0.35 <= rates["all"] <= 0.75, rates


def test_nearly_every_answer_is_in_the_format_that_is_taught(tokenizer: Any) -> None:
    questions = [query.prompt for query in held_back_queries(seed=9)[:40]]
    answers = sample(load_model(TINY_TEACHER).float(), tokenizer, questions, seed=2)
    taught = re.compile(r"<think>[^<]+</think><answer>\\boxed\{\d+\}</answer>")
    assert sum(bool(taught.fullmatch(answer)) for answer in answers) >= 36
