import itertools
import json
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from tokenizers import Tokenizer

from reasonmill.engine.embedded import TINY_TEACHER
from reasonmill.engine.embedded.tasks import mixed_questions
from reasonmill.engine.embedded.tokenizer import TAGS, VOCAB_SIZE, build_tokenizer
from reasonmill.packing.chat import ChatEncoder

TOKENIZER = Tokenizer.from_file(str(TINY_TEACHER / "tokenizer.json"))


@settings(max_examples=300)
@given(st.text())
def test_any_text_survives_encoding_and_decoding(text: str) -> None:
    assert TOKENIZER.decode(TOKENIZER.encode(text).ids, skip_special_tokens=False) == text


@pytest.mark.parametrize(
    "text",
    [
        'def f(x):\n\treturn {"a": x ** 2}  # ok\n',
        "计算十二加三十四等于多少？",
        "<think>a</think><answer>\\boxed{7}</answer>",
        "\\frac{1}{2} \\boxed{x} \\\\",
        "🙂 é e\u0301 \x00 \u2028",
        "   two  blanks\n\n\nand lines   ",
    ],
)
def test_code_and_other_scripts_survive_too(text: str) -> None:
    assert TOKENIZER.decode(TOKENIZER.encode(text).ids) == text


def test_every_digit_and_every_tag_is_one_token_and_the_box_is_cheap() -> None:
    assert TOKENIZER.encode("48302").tokens == ["4", "8", "3", "0", "2"]
    for tag in TAGS:
        assert TOKENIZER.encode(tag).tokens == [tag]
    assert TOKENIZER.encode("\\boxed{").tokens == ["\\boxed{"]


def test_decoding_without_special_tokens_keeps_the_tags_and_drops_the_turns() -> None:
    ids = TOKENIZER.encode("<|im_start|><think>5</think><answer>\\boxed{5}</answer><|im_end|>").ids
    assert TOKENIZER.decode(ids, skip_special_tokens=True) == "<think>5</think><answer>\\boxed{5}</answer>"


def test_building_twice_gives_the_same_bytes(tmp_path: Path) -> None:
    for name in ("a", "b"):
        size = build_tokenizer(itertools.islice(mixed_questions(seed=4), 500), tmp_path / name)
        assert size <= VOCAB_SIZE
    for file in ("tokenizer.json", "tokenizer_config.json"):
        assert (tmp_path / "a" / file).read_bytes() == (tmp_path / "b" / file).read_bytes()


def test_the_shipped_configuration_names_the_end_of_a_turn() -> None:
    config = json.loads((TINY_TEACHER / "tokenizer_config.json").read_text(encoding="utf-8"))
    assert (config["eos_token"], config["pad_token"]) == ("<|im_end|>", "<|endoftext|>")


def test_packing_takes_the_loss_of_the_whole_response_with_its_reasoning() -> None:
    response = "<think>1+1=2.</think><answer>\\boxed{2}</answer>"
    encoded = ChatEncoder(TINY_TEACHER).encode([("user", "What is 1 + 1?"), ("assistant", response)])
    target = [int(i) for i in encoded.input_ids[encoded.target]]
    prompt = [int(i) for i in encoded.input_ids[~encoded.target]]
    assert TOKENIZER.decode(target, skip_special_tokens=False) == response + "<|im_end|>"
    assert (
        TOKENIZER.decode(prompt, skip_special_tokens=False)
        == "<|im_start|>user\nWhat is 1 + 1?<|im_end|>\n<|im_start|>assistant\n"
    )
