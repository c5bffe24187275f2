from typing import Any

import pytest

from reasonmill.engine.teachers.prompts import render, with_system_prompt


class Letters:
    """A tokenizer with a token per character."""

    def __init__(self, ending: str = "assistant:") -> None:
        self._ending = ending

    def apply_chat_template(self, conversation: Any, **options: Any) -> Any:
        assert options == {"tokenize": False, "add_generation_prompt": True}
        if conversation[0]["role"] == "assistant":
            raise RuntimeError("conversations begin with the user")
        return "".join(f"{turn['role']}:{turn['content']}|" for turn in conversation) + self._ending

    def encode(self, text: str, **options: Any) -> list[int]:
        assert options == {"add_special_tokens": False}
        return [ord(letter) for letter in text]


def text_of(token_ids: list[int]) -> str:
    return "".join(map(chr, token_ids))


def test_the_prompt_is_the_chat_template_and_the_generation_prompt() -> None:
    prompt = render(Letters(), [("user", "hi")], "<think>\n")
    assert text_of(prompt.token_ids) == "user:hi|assistant:<think>\n"
    assert prompt.opening == "<think>\n"


def test_a_think_that_the_template_leaves_open_belongs_to_the_answer() -> None:
    assert render(Letters("assistant:<think>\n"), [("user", "hi")], "").opening == "<think>\n"


def test_a_think_that_the_template_closes_does_not() -> None:
    assert render(Letters("assistant:<think>\n\n</think>\n\n"), [("user", "hi")], "").opening == ""


def test_a_conversation_that_the_template_refuses_is_a_value_error() -> None:
    with pytest.raises(ValueError, match="conversations begin with the user"):
        render(Letters(), [("assistant", "hi")], "")


def test_a_system_prompt_goes_in_front_unless_the_conversation_has_its_own() -> None:
    assert with_system_prompt([("user", "hi")], "be brief") == (("system", "be brief"), ("user", "hi"))
    assert with_system_prompt([("system", "own"), ("user", "hi")], "be brief")[0] == ("system", "own")
    assert with_system_prompt([("user", "hi")], None) == (("user", "hi"),)
