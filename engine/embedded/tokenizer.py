"""The tiny models' tokenizer: byte-level BPE that encodes any text and gives every digit its own token.

`<think>`, `</think>`, `<answer>`, `</answer>` are tokens of the text (`special=False`, as Qwen3 has them), so that
decoding keeps them; the turn markers are special. Same corpus, same bytes.
"""

import json
from collections.abc import Iterable
from pathlib import Path

from reasonmill.engine.embedded.questions import WorkedQuestion

VOCAB_SIZE = 400  # 256 bytes, 7 added tokens, the rest merges of the tasks' wording
CONTEXT_TOKENS = 1024
TAGS = ("<think>", "</think>", "<answer>", "</answer>")
END_OF_TEXT, TURN_START, TURN_END = "<|endoftext|>", "<|im_start|>", "<|im_end|>"

# Turns as Qwen3 writes them. Nothing is prefilled; reasoning is dropped from all turns but the last.
CHAT_TEMPLATE = """\
{%- for message in messages -%}
{%- set content = message.content -%}
{%- if message.role == 'assistant' and not loop.last and '</think>' in content -%}
{%- set content = content.split('</think>')[-1] -%}
{%- endif -%}
{{- '<|im_start|>' + message.role + '\\n' + content + '<|im_end|>\\n' -}}
{%- endfor -%}
{%- if add_generation_prompt -%}
{{- '<|im_start|>assistant\\n' -}}
{%- endif -%}
"""
# `\boxed{` whole, digits one by one, words with the space before them, symbols, blanks
_PIECES = r"\\boxed\{|\p{N}| ?\p{L}+| ?[^\s\p{L}\p{N}\\]+|\\|\s+(?!\S)|\s+"


def build_tokenizer(questions: Iterable[WorkedQuestion], folder: Path) -> int:
    """Train on questions and responses and write a transformers tokenizer folder; returns the vocabulary size."""
    from tokenizers import AddedToken, Regex, Tokenizer, decoders, models, pre_tokenizers, trainers

    tokenizer = Tokenizer(models.BPE())
    tokenizer.pre_tokenizer = pre_tokenizers.Sequence(
        [
            pre_tokenizers.Split(Regex(_PIECES), behavior="isolated"),
            pre_tokenizers.ByteLevel(add_prefix_space=False, use_regex=False),
        ]
    )
    tokenizer.decoder = decoders.ByteLevel()
    added = len(TAGS) + 3
    trainer = trainers.BpeTrainer(
        vocab_size=VOCAB_SIZE - added,
        initial_alphabet=sorted(pre_tokenizers.ByteLevel.alphabet()),
        show_progress=False,
    )
    texts = (
        text for q in questions for text in ("user\n" + q.question, "assistant\n", q.trace, f"\\boxed{{{q.gold}}}")
    )
    tokenizer.train_from_iterator(texts, trainer)
    tokenizer.add_special_tokens([AddedToken(t, special=True) for t in (END_OF_TEXT, TURN_START, TURN_END)])
    tokenizer.add_tokens([AddedToken(t, special=False) for t in TAGS])
    folder.mkdir(parents=True, exist_ok=True)
    tokenizer.save(str(folder / "tokenizer.json"))
    (folder / "tokenizer_config.json").write_text(json.dumps(_tokenizer_config(), indent=2) + "\n")
    return int(tokenizer.get_vocab_size())


def _tokenizer_config() -> dict[str, object]:
    return {
        "tokenizer_class": "PreTrainedTokenizerFast",
        "bos_token": None,
        "eos_token": TURN_END,
        "pad_token": END_OF_TEXT,
        "unk_token": None,
        "model_max_length": CONTEXT_TOKENS,
        "clean_up_tokenization_spaces": False,
        "chat_template": CHAT_TEMPLATE,
    }
