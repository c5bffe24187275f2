"""A tokenizer folder that needs no data: every byte is a token, and conversations are written in ChatML."""

import json
from collections.abc import Sequence
from pathlib import Path

END_OF_TURN = "<|im_end|>"
CHATML = (
    "{% for message in messages %}"
    "{{ '<|im_start|>' + message.role + '\\n' + message.content + '<|im_end|>\\n' }}"
    "{% endfor %}"
    "{% if add_generation_prompt %}{{ '<|im_start|>assistant\\n' }}{% endif %}"
)
_ADDED = (("<|endoftext|>", True), ("<|im_start|>", True), (END_OF_TURN, True), ("<think>", False), ("</think>", False))


def write_byte_tokenizer(
    folder: str | Path, *, chat_template: str = CHATML, special: Sequence[str] = (), **config: str
) -> Path:
    """Write `tokenizer.json` and `tokenizer_config.json`: 256 byte tokens, then special ones, ChatML's and those of
    `special`; `config` goes into the configuration, `bos_token="<s>"` say. Returns the folder.
    """
    from tokenizers import AddedToken, Tokenizer, decoders, models, pre_tokenizers

    alphabet = sorted(pre_tokenizers.ByteLevel.alphabet())
    tokenizer = Tokenizer(models.BPE(vocab={symbol: number for number, symbol in enumerate(alphabet)}, merges=[]))
    tokenizer.pre_tokenizer = pre_tokenizers.ByteLevel(add_prefix_space=False)
    tokenizer.decoder = decoders.ByteLevel()
    for text, is_special in (*_ADDED, *((text, True) for text in special)):
        token = AddedToken(text, special=is_special, normalized=False)
        tokenizer.add_special_tokens([token]) if is_special else tokenizer.add_tokens([token])
    folder = Path(folder)
    folder.mkdir(parents=True, exist_ok=True)
    tokenizer.save(str(folder / "tokenizer.json"))
    settings = {
        "tokenizer_class": "PreTrainedTokenizerFast",
        "eos_token": END_OF_TURN,
        "pad_token": "<|endoftext|>",
        "chat_template": chat_template,
        **config,
    }
    (folder / "tokenizer_config.json").write_text(json.dumps(settings), encoding="utf-8")
    return folder
