import json

import pytest

from reasonmill.packing.byte_tokenizer import CHATML, write_byte_tokenizer
from reasonmill.packing.chat import ChatEncoder
from reasonmill.packing.tokenizer import load_tokenizer

# In the manner of the templates published with Qwen3, DeepSeek-R1's distilled models and Gemma.
REASONING_SPLIT = """{%- for message in messages %}
    {%- if message.role == "assistant" and "</think>" in message.content %}
        {%- set reasoning = message.content.split("</think>")[0].split("<think>")[-1].strip("\\n") %}
        {%- set content = message.content.split("</think>")[-1].lstrip("\\n") %}
        {%- if loop.last %}
            {{- "<|im_start|>assistant\\n<think>\\n" + reasoning + "\\n</think>\\n\\n" + content + "<|im_end|>\\n" }}
        {%- else %}
            {{- "<|im_start|>assistant\\n" + content + "<|im_end|>\\n" }}
        {%- endif %}
    {%- else %}
        {{- "<|im_start|>" + message.role + "\\n" + message.content + "<|im_end|>\\n" }}
    {%- endif %}
{%- endfor %}
{%- if add_generation_prompt %}
    {{- "<|im_start|>assistant\\n" }}
{%- endif %}"""
REASONING_DROPPED = """{%- for message in messages -%}
{%- set content = message.content.split("</think>")[-1] if message.role == "assistant" else message.content -%}
{{- "<|im_start|>" + message.role + "\\n" + content + "<|im_end|>" -}}
{%- endfor -%}
{%- if add_generation_prompt -%}{{- "<|im_start|>assistant\\n" -}}{%- endif -%}"""
REASONING_STARTED = REASONING_DROPPED.replace('assistant\\n" -}}{%- endif', 'assistant\\n<think>\\n" -}}{%- endif')
NO_PREFIX = """{%- for message in messages -%}
{{- "<|im_start|>" + message.role + "(" + (messages | length | string) + ")" + message.content + "<|im_end|>" -}}
{%- endfor -%}
{%- if add_generation_prompt -%}{{- "<|im_start|>assistant" -}}{%- endif -%}"""
GENERATION_TAG = CHATML.replace(
    "message.content + '<|im_end|>\\n' }}",
    "'' }}{% generation %}{{ message.content + '<|im_end|>' }}{% endgeneration %}{{ '\\n' }}",
)

QUESTION = [("user", "What is 2+2?")]
ANSWER = ("assistant", "<think>2+2=4</think><answer>4</answer>")


def parts(folder, messages) -> tuple[str, str]:
    """Text that is context, and text that is target."""
    encoded = ChatEncoder(folder).encode(messages)
    tokenizer = load_tokenizer(folder)
    first = int(encoded.target.argmax())
    assert encoded.target[first:].all()
    assert not encoded.target[:first].any()
    return tuple(
        tokenizer.decode(ids.tolist(), skip_special_tokens=False)
        for ids in (encoded.input_ids[:first], encoded.input_ids[first:])
    )


def test_the_role_header_is_no_target_and_the_end_token_is_the_last(tmp_path):
    context, target = parts(write_byte_tokenizer(tmp_path), [*QUESTION, ANSWER])
    assert context == "<|im_start|>user\nWhat is 2+2?<|im_end|>\n<|im_start|>assistant\n"
    assert target == ANSWER[1] + "<|im_end|>"


def test_of_several_turns_only_the_last_response_is_target(tmp_path):
    messages = [("system", "Be brief."), *QUESTION, ("assistant", "4"), ("user", "And 3+3? <é>"), ("assistant", "6")]
    context, target = parts(write_byte_tokenizer(tmp_path), messages)
    assert target == "6<|im_end|>"
    assert "assistant\n4<|im_end|>" in context
    assert context.endswith("<é><|im_end|>\n<|im_start|>assistant\n")


def test_reasoning_is_kept_in_the_form_of_a_template_that_rewrites_it(tmp_path):
    folder = write_byte_tokenizer(tmp_path, chat_template=REASONING_SPLIT)
    context, target = parts(folder, [*QUESTION, ANSWER, ("user", "Sure?"), ("assistant", "<think>hm</think>yes")])
    assert target == "<think>\nhm\n</think>\n\nyes<|im_end|>"
    assert "2+2=4" not in context, "reasoning of earlier turns is dropped, as when the model is asked"


def test_reasoning_that_a_template_drops_is_restored_word_for_word(tmp_path):
    folder = write_byte_tokenizer(tmp_path, chat_template=REASONING_DROPPED)
    assert parts(folder, [*QUESTION, ANSWER])[1] == ANSWER[1] + "<|im_end|>"


def test_reasoning_that_the_prompt_begins_is_not_begun_twice(tmp_path):
    folder = write_byte_tokenizer(tmp_path, chat_template=REASONING_STARTED)
    context, target = parts(folder, [*QUESTION, ("assistant", "<think>\n2+2=4</think>4")])
    assert context.endswith("assistant\n<think>\n")
    assert target == "2+2=4</think>4<|im_end|>"


def test_a_template_whose_prompt_does_not_begin_the_conversation_is_named(tmp_path):
    folder = write_byte_tokenizer(tmp_path / "odd", chat_template=NO_PREFIX)
    with pytest.raises(ValueError, match=r"chat template of .*odd.* does not begin a conversation with its prompt"):
        ChatEncoder(folder).encode([*QUESTION, ANSWER])


def test_a_template_that_ends_no_turn_is_named(tmp_path):
    template = "{% for m in messages %}{{ m.role + ':' + m.content }}{% endfor %}"
    asking = "{% if add_generation_prompt %}assistant:{% endif %}"
    folder = write_byte_tokenizer(tmp_path / "odd", chat_template=template + asking)
    with pytest.raises(ValueError, match=r"chat template of .*odd.* ends no assistant turn with a special token"):
        ChatEncoder(folder).encode([("user", "2+2?"), ("assistant", "4")])


def test_a_templates_own_complaint_reaches_the_user(tmp_path):
    folder = write_byte_tokenizer(tmp_path, chat_template="{{ raise_exception('no system turns here') }}")
    with pytest.raises(ValueError, match="no system turns here"):
        ChatEncoder(folder).encode([*QUESTION, ANSWER])


@pytest.mark.parametrize("messages", [[], QUESTION, [*QUESTION, ANSWER, ("user", "and?")]])
def test_a_conversation_that_no_assistant_ends_is_refused(tmp_path, messages):
    with pytest.raises(ValueError, match="expected 'assistant'"):
        ChatEncoder(write_byte_tokenizer(tmp_path)).encode(messages)


def test_folders_without_tokenizer_or_template_are_named(tmp_path):
    with pytest.raises(ValueError, match=r"has no tokenizer\.json"):
        ChatEncoder(tmp_path)
    folder = write_byte_tokenizer(tmp_path)
    (folder / "tokenizer_config.json").write_text("{}")
    with pytest.raises(ValueError, match="has no chat template"):
        ChatEncoder(folder)
    (folder / "chat_template.jinja").write_text("{% for %}")
    with pytest.raises(ValueError, match="is not valid"):
        ChatEncoder(folder)
    (folder / "tokenizer.json").write_text("{}")
    with pytest.raises(ValueError, match=r"tokenizer\.json' cannot be read"):
        ChatEncoder(folder)


def test_a_template_beside_the_configuration_comes_first(tmp_path):
    folder = write_byte_tokenizer(tmp_path, chat_template="{{ raise_exception('old') }}")
    (folder / "chat_template.jinja").write_text(CHATML)
    assert parts(folder, [*QUESTION, ANSWER])[1] == ANSWER[1] + "<|im_end|>"


def test_of_several_templates_the_default_one_is_taken(tmp_path):
    folder = write_byte_tokenizer(tmp_path)
    named = [{"name": "tool_use", "template": "no"}, {"name": "default", "template": CHATML}]
    (folder / "tokenizer_config.json").write_text(json.dumps({"chat_template": named, "eos_token": {"content": "x"}}))
    assert parts(folder, [*QUESTION, ANSWER])[1] == ANSWER[1] + "<|im_end|>"


@pytest.mark.filterwarnings("ignore")
@pytest.mark.parametrize("template", [CHATML, REASONING_SPLIT, REASONING_DROPPED, REASONING_STARTED, GENERATION_TAG])
def test_templates_render_as_transformers_renders_them(tmp_path, template):
    from transformers.utils.chat_template_utils import render_jinja_template

    from reasonmill.packing.template import ChatTemplate

    mine = ChatTemplate(write_byte_tokenizer(tmp_path, chat_template=template))
    messages = [("system", "s"), *QUESTION, ANSWER, ("user", "ü\n"), ("assistant", "<think>a\n</think>\n b ")]
    for count, prompt in ((5, False), (4, True), (2, True), (3, False)):
        turns = [{"role": role, "content": content} for role, content in messages[:count]]
        theirs, _ = render_jinja_template([turns], chat_template=template, add_generation_prompt=prompt)
        assert mine.render(messages[:count], add_generation_prompt=prompt) == theirs[0]
