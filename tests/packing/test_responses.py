"""Responses that a template would lose, double or end wrongly. The templates are in the manner of published ones and
were written for these tests.
"""

import json

import pytest
from tokenizers import Tokenizer, decoders, models, normalizers

from reasonmill.packing.byte_tokenizer import CHATML, write_byte_tokenizer
from reasonmill.packing.chat import ChatEncoder
from reasonmill.packing.response import THINK_CLOSE
from reasonmill.packing.settings import PackSettings

CHATML_ASKING = "{%- if add_generation_prompt %}{{- '<|im_start|>assistant\\n' }}{%- endif %}"
# Lays reasoning out anew and keeps what follows the last closing tag; an answer without it gets an empty one (Qwen3).
LAID_OUT = (
    """{%- for m in messages %}
    {%- set reasoning = m.content.split("</think>")[0].split("<think>")[-1] if "</think>" in m.content else "" %}
    {%- set content = m.content.split("</think>")[-1].lstrip("\\n") %}
    {{- "<|im_start|>" + m.role + "\\n" }}
    {%- if m.role == "assistant" and loop.last %}
        {{- "<think>\\n" + reasoning.strip("\\n") + "\\n</think>\\n\\n" + content + "<|im_end|>\\n" }}
    {%- else %}{{- (content if m.role == "assistant" else m.content) + "<|im_end|>\\n" }}{%- endif %}
{%- endfor %}"""
    + CHATML_ASKING
)
# Takes reasoning from a field of its own only, and begins it in the prompt: that of the content would stand twice.
FIELD_ONLY = CHATML.replace(
    "message.content", "('<think>\\n\\n</think>\\n\\n' if message.role == 'assistant' else '') + message.content"
).replace("assistant\\n' }}{% endif", "assistant\\n<think>\\n' }}{% endif")
# Writes an empty reasoning in one piece where there is none, and begins it in the prompt with a line of its own.
ONE_PIECE = """{%- for m in messages %}
    {%- set content = m.content if m.role != "assistant" or "<think>" in m.content else "<think></think>" + m.content %}
    {{- "<|im_start|>" + m.role + "\\n" + content + "<|im_end|>\\n" }}
{%- endfor %}""" + CHATML_ASKING.replace("assistant\\n", "assistant\\n<think>\\n")
# Ends every turn, and the conversation with another token (Phi-3).
ENDS_TWICE = CHATML + "{% if not add_generation_prompt %}{{ '<|endoftext|>' }}{% endif %}"
# Opens and closes the response within its turn (Command R7B).
FRAMED = """{%- for m in messages %}{{- "<|im_start|>" + m.role }}
{%- if m.role == "assistant" %}{{- "<|open|>" + m.content + "<|close|>" }}{%- else %}{{- m.content }}{%- endif %}
{{- "<|im_end|>" }}{%- endfor %}
{%- if add_generation_prompt %}{{- "<|im_start|>assistant<|open|>" }}{%- endif %}"""
# Names a channel before the response, and ends the last turn otherwise than the ones before it (gpt-oss).
CHANNEL = """{%- for m in messages %}{{- "<|im_start|>" + m.role }}
{%- if m.role == "assistant" %}{{- "<|open|>final<|close|>" }}{%- endif %}
{{- m.content + ("<|return|>" if loop.last and m.role == "assistant" else "<|im_end|>") }}{%- endfor %}
{%- if add_generation_prompt %}{{- "<|im_start|>assistant" }}{%- endif %}"""
SPECIAL = ("<|open|>", "<|close|>", "<|return|>", "[INST]", "[/INST]", "<s>", "</s>")

QUESTION = [("user", "2+2?")]
TWICE_CLOSED = "<think>a</think> foo </think> bar"


def encoder(folder, template: str) -> ChatEncoder:
    return ChatEncoder(write_byte_tokenizer(folder, chat_template=template, special=SPECIAL))


def texts(made: ChatEncoder, answer: str) -> list[str]:
    """Text of context and of target."""
    spans = made.spans(made.encode([*QUESTION, ("assistant", answer)]))
    assert [is_target for _, is_target in spans] == [False, True]
    return [text for text, _ in spans]


@pytest.mark.parametrize(
    ("template", "answer", "target"),
    [
        (LAID_OUT, TWICE_CLOSED, TWICE_CLOSED + "<|im_end|>"),
        (LAID_OUT, "<think>a\n</think>b", "<think>\na\n</think>\n\nb<|im_end|>"),
        (LAID_OUT, "a</think>b", "<think>\na\n</think>\n\nb<|im_end|>"),
        (LAID_OUT, "b", "<think>\n\n</think>\n\nb<|im_end|>"),
        (FIELD_ONLY, "<think>\na\n</think>\n\nb", "a\n</think>\n\nb<|im_end|>"),
        (FIELD_ONLY, "<think>a</think>b", "a</think>b<|im_end|>"),
        (FIELD_ONLY, "<think>\n\n</think>b", "\n</think>b<|im_end|>"),
        (FIELD_ONLY, "a</think>b", "a</think>b<|im_end|>"),
        (FIELD_ONLY, "b", "\n</think>\n\nb<|im_end|>"),
        (ONE_PIECE, "<think>a</think>b", "a</think>b<|im_end|>"),
        (ONE_PIECE, "<think>\na</think>b", "a</think>b<|im_end|>"),
        (ONE_PIECE, "a</think>b", "a</think>b<|im_end|>"),
        (CHATML, TWICE_CLOSED, TWICE_CLOSED + "<|im_end|>"),
        (CHATML, "  b \n\n", "  b \n\n<|im_end|>"),
        (ENDS_TWICE, "<think>a</think>b", "<think>a</think>b<|im_end|>"),
        (FRAMED, "<think>a</think>b", "<think>a</think>b<|close|><|im_end|>"),
        (CHANNEL, "<think>a</think>b", "<|open|>final<|close|><think>a</think>b<|return|>"),
    ],
)
def test_all_of_the_response_is_target_once_and_ends_where_a_turn_ends(tmp_path, template, answer, target):
    assert texts(encoder(tmp_path, template), answer)[1] == target


@pytest.mark.parametrize(("template", "end"), [(ENDS_TWICE, "<|im_end|>"), (CHANNEL, "<|return|>")])
def test_a_model_stops_where_a_response_ends_and_not_where_the_conversation_does(tmp_path, template, end):
    made = encoder(tmp_path, template)
    assert made.end_token_id == Tokenizer.from_file(str(tmp_path / "tokenizer.json")).token_to_id(end)


@pytest.mark.parametrize("token", ["<|im_start|>", "<|endoftext|>", "[INST]", "</s>"])
@pytest.mark.parametrize("template", [CHATML, ENDS_TWICE, LAID_OUT])
def test_a_token_that_only_a_template_writes_is_no_part_of_a_response(tmp_path, template, token):
    with pytest.raises(ValueError, match="a token that only a chat template writes") as refusal:
        texts(encoder(tmp_path, template), f"<think>a</think>so {token} it is")
    assert token in str(refusal.value)


def test_special_tokens_in_a_question_are_what_the_model_is_given_and_no_target(tmp_path):
    made = encoder(tmp_path, CHATML)
    question = [("user", "What is <|im_end|>\n<|im_start|>assistant\n? \ue000response\ue001")]
    spans = made.spans(made.encode([*question, ("assistant", "An end.")]))
    assert [is_target for _, is_target in spans] == [False, True]
    assert spans[1][0] == "An end.<|im_end|>"
    again = encoder(tmp_path / "laid out", LAID_OUT)
    assert again.spans(again.encode([*question, ("assistant", TWICE_CLOSED)]))[1][0] == TWICE_CLOSED + "<|im_end|>"


@pytest.mark.parametrize("answer", ["", " \n\t", "\u2003"])
@pytest.mark.parametrize("template", [CHATML, LAID_OUT, FIELD_ONLY])
def test_an_empty_response_is_refused(tmp_path, template, answer):
    with pytest.raises(ValueError, match="ends with an empty turn"):
        texts(encoder(tmp_path, template), answer)


def test_reasoning_that_is_opened_and_not_begun_is_an_empty_response(tmp_path):
    with pytest.raises(ValueError, match="ends with an empty turn"):
        texts(encoder(tmp_path, FIELD_ONLY), "<think>\n")


def test_text_that_is_no_unicode_spoils_itself_alone(tmp_path):
    made = encoder(tmp_path, CHATML)
    bad, good = ([*QUESTION, ("assistant", answer)] for answer in ("a\ud800", "b"))
    refused, encoded = made.encode_batch([bad, good])
    assert "surrogates not allowed" in str(refused)
    assert made.spans(encoded)[1][0] == "b<|im_end|>"


@pytest.mark.parametrize(
    "expression",
    ["1 + 'a'", "1 / 0", "messages[0].content.nothing()", "messages | first | int + none", "{}['x'].y", "'%d' % 'a'"],
)
def test_what_goes_wrong_in_a_template_is_the_conversations_trouble(tmp_path, expression):
    template = CHATML + "{% if 'odd' in messages[0].content %}{{ " + expression + " }}{% endif %}"
    made = encoder(tmp_path, template)
    odd, plain = made.encode_batch([[("user", "odd"), ("assistant", "b")], [*QUESTION, ("assistant", "b")]])
    assert "refuses the conversation" in str(odd)
    assert made.spans(plain)[1][0] == "b<|im_end|>"


@pytest.mark.parametrize("day", ["today", "2025-13-01", "20250531"])
def test_a_day_is_one_of_the_calendar(day):
    with pytest.raises(ValueError, match=f"date: '{day}' is no day"):
        PackSettings(date=day)


def test_a_template_that_asks_for_the_day_is_told_the_same_all_along(tmp_path):
    dated = "{{ strftime_now('%d %b %Y') }}" + CHATML
    folder = write_byte_tokenizer(tmp_path, chat_template=dated)
    made = ChatEncoder(folder, date="2025-05-31")
    assert made.spans(made.encode([*QUESTION, ("assistant", "b")]))[0][0].startswith("31 May 2025<|im_start|>")


@pytest.mark.parametrize(
    ("content", "told"),
    [
        (
            b'{"chat_template": [{"template": "x"}, "y", {"name": ["default"], "template": "z"}]}',
            "has no chat template",
        ),
        (b'{"chat_template": "\xff"}', r"tokenizer_config\.json' is not JSON"),
        (b"[]", r"tokenizer_config\.json' holds list"),
    ],
)
def test_an_odd_configuration_is_named(tmp_path, content, told):
    folder = write_byte_tokenizer(tmp_path)
    (folder / "tokenizer_config.json").write_bytes(content)
    with pytest.raises(ValueError, match=told):
        ChatEncoder(folder)


def test_a_template_file_that_is_no_utf_8_is_named(tmp_path):
    folder = write_byte_tokenizer(tmp_path)
    (folder / "chat_template.jinja").write_bytes(b"\xff\xfe")
    with pytest.raises(ValueError, match=r"chat_template\.jinja"):
        ChatEncoder(folder)


def spaced_tokenizer(folder):
    """One that puts a space before every text it is given, as those made from SentencePiece models do."""
    symbols = ["▁", *(chr(code) for code in range(33, 127)), "\n"]
    tokenizer = Tokenizer(models.BPE(vocab={symbol: n for n, symbol in enumerate(symbols)}, merges=[]))
    tokenizer.normalizer = normalizers.Sequence([normalizers.Prepend("▁"), normalizers.Replace(" ", "▁")])
    tokenizer.decoder = decoders.Sequence([decoders.Replace("▁", " "), decoders.Fuse(), decoders.Strip(" ", 1, 0)])
    tokenizer.add_special_tokens(["<s>", "</s>"])
    tokenizer.save(str(folder / "tokenizer.json"))
    template = (
        "{% for m in messages %}"
        "{{ ' [INST] ' + m.content + ' [/INST]' if m.role == 'user' else m.content + '</s>' }}"
        "{% endfor %}"
    )
    (folder / "tokenizer_config.json").write_text(json.dumps({"chat_template": template}))
    return tokenizer


def test_the_response_has_the_tokens_that_the_whole_text_gives_it(tmp_path):
    tokenizer = spaced_tokenizer(tmp_path)
    made = ChatEncoder(tmp_path)
    encoded = made.encode([*QUESTION, ("assistant", "4")])
    whole = tokenizer.encode(" [INST] 2+2? [/INST]4</s>", add_special_tokens=False).ids
    assert encoded.input_ids.tolist() == whole
    assert [tokenizer.id_to_token(number) for number in encoded.input_ids[encoded.target]] == ["4", "</s>"]
    assert made.encode_batch([[*QUESTION, ("assistant", "4")]])[0].input_ids.tolist() == whole


def test_where_the_tokenizer_would_join_them_the_prompt_keeps_its_tokens(tmp_path):
    folder = write_byte_tokenizer(tmp_path)
    content = json.loads((folder / "tokenizer.json").read_text())
    newline = "Ċ"
    content["model"]["vocab"][newline * 2] = 400
    content["model"]["merges"] = [[newline, newline]]
    (folder / "tokenizer.json").write_text(json.dumps(content))
    made = ChatEncoder(folder)
    joined = made.encode([*QUESTION, ("assistant", "\n 4")])
    alone = made.encode([*QUESTION, ("assistant", "4")])
    assert joined.input_ids[~joined.target].tolist() == alone.input_ids[~alone.target].tolist()
    assert made.spans(joined)[1][0] == "\n 4<|im_end|>"
    assert made.first_retokenised(joined) == int(joined.target.argmax()) - 1


def test_reasoning_is_closed_once(tmp_path):
    for number, template in enumerate((LAID_OUT, FIELD_ONLY, ONE_PIECE, CHATML)):
        whole = "".join(texts(encoder(tmp_path / str(number), template), "<think>a</think>b"))
        assert whole.count(THINK_CLOSE) == 1
