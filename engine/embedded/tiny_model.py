"""The shape of the tiny teacher and student, and what is done with such a model: make, save, load, sample.

The only file of the embedded default, with the teacher's training loop, that needs torch and transformers.
"""

import json
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import torch
from transformers import AutoModelForCausalLM, AutoTokenizer, Qwen3Config, Qwen3ForCausalLM

from reasonmill.engine.embedded.tokenizer import CONTEXT_TOKENS, END_OF_TEXT, TURN_END

# Qwen3 of 0.64 M parameters, 1.27 MB in bf16. The student of the quickstart has the same shape.
TINY_SHAPE: dict[str, Any] = {
    "hidden_size": 128,
    "intermediate_size": 384,
    "num_hidden_layers": 3,
    "num_attention_heads": 4,
    "num_key_value_heads": 2,
    "head_dim": 32,
    "max_position_embeddings": CONTEXT_TOKENS,
    "rope_theta": 10000.0,
    "tie_word_embeddings": True,
    # student on 1,500 gold traces, 520 steps, one run each: 0.02 with decay 0.01 -> 50 % right, 0.04 with 0.1 -> 73 %
    "initializer_range": 0.04,
}


def load_tokenizer(folder: Path) -> Any:
    """Tokenizer of a model folder, without the network."""
    return AutoTokenizer.from_pretrained(folder, local_files_only=True)


def new_model(tokenizer: Any, *, seed: int) -> Any:
    """Model of TINY_SHAPE with random weights (fp32) for this tokenizer."""
    config = Qwen3Config(
        vocab_size=len(tokenizer),
        bos_token_id=None,
        eos_token_id=tokenizer.convert_tokens_to_ids(TURN_END),
        pad_token_id=tokenizer.convert_tokens_to_ids(END_OF_TEXT),
        **TINY_SHAPE,
    )
    torch.manual_seed(seed)
    return Qwen3ForCausalLM(config)


def load_model(folder: Path) -> Any:
    """Model of a folder in the dtype it was saved in."""
    return AutoModelForCausalLM.from_pretrained(folder, local_files_only=True, dtype="auto").eval()


def save_model(model: Any, folder: Path) -> None:
    """Save in bf16 with sampling at temperature 1 as the default; the tokenizer is saved apart."""
    ends = [model.config.eos_token_id, model.config.pad_token_id]
    model.to(torch.bfloat16).save_pretrained(folder)
    generation = {
        "do_sample": True,
        "temperature": 1.0,
        "top_p": 1.0,
        "top_k": 0,
        "eos_token_id": ends,
        "pad_token_id": model.config.pad_token_id,
    }
    (folder / "generation_config.json").write_text(json.dumps(generation, indent=2) + "\n")


@torch.inference_mode()
def sample(
    model: Any, tokenizer: Any, questions: Sequence[str], *, seed: int, max_new_tokens: int = 160, batch: int = 128
) -> list[str]:
    """One answer to each question at temperature 1, in their order; the turn's end is cut off."""
    torch.manual_seed(seed)
    tokenizer.padding_side = "left"
    answers: list[str] = []
    for start in range(0, len(questions), batch):
        chats = [[{"role": "user", "content": q}] for q in questions[start : start + batch]]
        prompts = [tokenizer.apply_chat_template(c, tokenize=False, add_generation_prompt=True) for c in chats]
        inputs = tokenizer(prompts, return_tensors="pt", padding=True, add_special_tokens=False)
        ids = model.generate(
            input_ids=inputs["input_ids"],
            attention_mask=inputs["attention_mask"],
            do_sample=True,
            temperature=1.0,
            top_k=0,
            top_p=1.0,
            max_new_tokens=max_new_tokens,
        )
        answers += tokenizer.batch_decode(ids[:, inputs["input_ids"].shape[1] :], skip_special_tokens=True)
    return answers
