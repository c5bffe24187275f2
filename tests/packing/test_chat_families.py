"""Templates in the manner of the families that students come from, written for these tests."""

import re

import pytest

from reasonmill.packing.byte_tokenizer import CHATML, write_byte_tokenizer
from reasonmill.packing.chat import ChatEncoder
from reasonmill.packing.tokenizer import load_tokenizer

QWEN2 = (
    "{% if messages[0].role != 'system' %}{{ '<|im_start|>system\\nYou are helpful.<|im_end|>\\n' }}{% endif %}"
    + CHATML
)
# Drops the reasoning of earlier turns, puts that of the last into a form of its own, starts none in the prompt.
QWEN3 = """{%- for message in messages %}
    {%- if message.role == "assistant" and "</think>" in message.content %}
        {%- set reasoning = message.content.split("</think>")[0].split("<think>")[-1].strip("\\n") %}
        {%- set content = message.content.split("</think>")[-1].lstrip("\\n") %}
        {{- "<|im_start|>assistant\\n" }}
        {%- if loop.last %}{{- "<think>\\n" + reasoning + "\\n</think>\\n\\n" }}{%- endif %}
        {{- content + "<|im_end|>\\n" }}
    {%- else %}
        {{- "<|im_start|>" + message.role + "\\n" + message.content + "<|im_end|>\\n" }}
    {%- endif %}
{%- endfor %}
{%- if add_generation_prompt %}{{- "<|im_start|>assistant\\n" }}{%- endif %}"""
LLAMA3 = """{{- bos_token }}{%- for message in messages %}
{{- "<|start_header_id|>" + message.role + "<|end_header_id|>\\n\\n" + message.content | trim + "<|eot_id|>" }}
{%- endfor %}
{%- if add_generation_prompt %}{{- "<|start_header_id|>assistant<|end_header_id|>\\n\\n" }}{%- endif %}"""
MISTRAL = """{{- bos_token }}{%- for message in messages %}
{%- if message.role == "user" %}{{- "[INST] " + message.content + " [/INST]" }}
{%- elif message.role == "assistant" %}{{- " " + message.content + eos_token }}
{%- else %}{{- raise_exception("only user and assistant roles are supported") }}{%- endif %}
{%- endfor %}"""
# Strips the reasoning of every turn, and begins it in the prompt.
DEEPSEEK = """{{- bos_token }}{%- for message in messages %}
{%- if message.role == "user" %}{{- "<|User|>" + message.content }}
{%- elif message.role == "assistant" %}{{- "<|Assistant|>" + message.content.split("</think>")[-1] + eos_token }}
{%- else %}{{- message.content }}{%- endif %}
{%- endfor %}
{%- if add_generation_prompt %}{{- "<|Assistant|><think>\\n" }}{%- endif %}"""

# name -> template, special tokens, configuration, end of a turn, how the last response reads
THOUGHT = "<think>\n2+2 is 4.\n</think>\n\n\\boxed{4}"
FAMILIES = {
    "chatml": (CHATML, (), {}, "<|im_end|>", THOUGHT),
    "qwen2": (QWEN2, (), {}, "<|im_end|>", THOUGHT),
    "qwen3": (QWEN3, (), {}, "<|im_end|>", THOUGHT),
    "llama3": (
        LLAMA3,
        ("<|begin_of_text|>", "<|start_header_id|>", "<|end_header_id|>", "<|eot_id|>"),
        {"bos_token": "<|begin_of_text|>", "eos_token": "<|eot_id|>"},
        "<|eot_id|>",
        THOUGHT,
    ),
    "mistral": (MISTRAL, ("<s>", "</s>"), {"bos_token": "<s>", "eos_token": "</s>"}, "</s>", " " + THOUGHT),
    "deepseek": (
        DEEPSEEK,
        ("<|bos|>", "<|eos|>", "<|User|>", "<|Assistant|>"),
        {"bos_token": "<|bos|>", "eos_token": "<|eos|>"},
        "<|eos|>",
        THOUGHT.removeprefix("<think>\n"),
    ),
}
HISTORY = [("user", "1+1?"), ("assistant", "<think>\nan earlier thought\n</think>\n\n2"), ("user", "And 2+2? ü")]


@pytest.fixture(params=FAMILIES)
def family(request, tmp_path):
    template, special, config, end, response = FAMILIES[request.param]
    folder = write_byte_tokenizer(tmp_path, chat_template=template, special=special, **config)
    return folder, end, response


def texts(folder, messages) -> tuple[str, str]:
    """Text of context and of target."""
    encoder = ChatEncoder(folder)
    spans = encoder.spans(encoder.encode(messages))
    assert [is_target for _, is_target in spans] == [False, True], "one run of context, then one of target"
    return spans[0][0], spans[1][0]


def test_the_final_response_with_its_end_token_is_the_target_and_nothing_else(family):
    folder, end, response = family
    context, target = texts(folder, [*HISTORY, ("assistant", THOUGHT)])
    assert target == response + end
    assert "2+2 is 4." not in context
    assert context.count("1+1?") == context.count("And 2+2? ü") == 1


def test_the_context_is_what_the_model_is_given_when_it_is_asked(family):
    pytest.importorskip("transformers")
    from transformers import PreTrainedTokenizerFast

    folder, _, _ = family
    encoded = ChatEncoder(folder).encode([*HISTORY, ("assistant", THOUGHT)])
    theirs = PreTrainedTokenizerFast.from_pretrained(folder)
    turns = [{"role": role, "content": content} for role, content in HISTORY]
    prompt = theirs.apply_chat_template(turns, add_generation_prompt=True, return_dict=False)
    assert encoded.input_ids[~encoded.target].tolist() == list(prompt)


def test_tokens_survive_the_round_trip_through_their_text(family):
    folder, _, _ = family
    encoder = ChatEncoder(folder)
    assert encoder.first_retokenised(encoder.encode([*HISTORY, ("assistant", THOUGHT)])) is None
    assert (
        encoder.first_retokenised(encoder.encode([("user", "é\n\t<|x|>"), ("assistant", THOUGHT + "\n日本 ")])) is None
    )


def test_models_stop_at_the_token_that_ends_the_target(family):
    folder, end, _ = family
    assert ChatEncoder(folder).end_token_id == load_tokenizer(folder).token_to_id(end)


def test_an_answer_without_reasoning_is_encoded_where_the_prompt_does_not_begin_it(family):
    folder, end, _ = family
    if "<think>" in texts(folder, [("user", "?"), ("assistant", THOUGHT)])[0]:
        with pytest.raises(ValueError, match="does not begin a conversation with its prompt"):
            ChatEncoder(folder).encode([("user", "2+2?"), ("assistant", "4")])
    else:
        assert texts(folder, [("user", "2+2?"), ("assistant", "4")])[1].strip() == "4" + end


def test_a_role_that_the_template_refuses_is_the_users_to_mend(tmp_path):
    template, special, config, _, _ = FAMILIES["mistral"]
    encoder = ChatEncoder(write_byte_tokenizer(tmp_path, chat_template=template, special=special, **config))
    with pytest.raises(ValueError, match="refuses the conversation: only user and assistant roles"):
        encoder.encode([("system", "Be brief."), ("user", "2+2?"), ("assistant", "4")])


def test_a_template_that_cannot_encode_the_simplest_conversation_is_refused_at_once(tmp_path):
    template = "{{ raise_exception('not today') }}"
    with pytest.raises(ValueError, match="not today"):
        ChatEncoder(write_byte_tokenizer(tmp_path, chat_template=template))


def test_a_response_that_would_end_within_itself_is_refused(family):
    folder, end, _ = family
    with pytest.raises(ValueError, match="the response holds the token that ends a turn"):
        ChatEncoder(folder).encode([("user", "2+2?"), ("assistant", THOUGHT + end + "user: and?")])


def test_a_batch_gives_what_each_conversation_gives_alone(family):
    folder, end, _ = family
    encoder = ChatEncoder(folder)
    conversations = [
        [("user", "2+2?"), ("assistant", THOUGHT)],
        [("user", "2+2?")],
        [*HISTORY, ("assistant", THOUGHT)],
        [("user", "2+2?"), ("assistant", THOUGHT + end + "!")],
        [],
    ]
    for conversation, result in zip(conversations, encoder.encode_batch(conversations), strict=True):
        if isinstance(result, ValueError):
            with pytest.raises(ValueError, match=re.escape(str(result))):
                encoder.encode(conversation)
        else:
            alone = encoder.encode(conversation)
            assert result.input_ids.tolist() == alone.input_ids.tolist()
            assert result.target.tolist() == alone.target.tolist()
    assert encoder.encode_batch([]) == []
