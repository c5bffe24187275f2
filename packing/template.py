"""Chat templates of Hugging Face folders, rendered as transformers renders them but without importing it.

The environment is that of transformers 5.19 (`utils/chat_template_utils.py`): sandboxed Jinja with trimmed blocks, loop
controls, `{% generation %}`, `tojson`, `raise_exception` and `strftime_now`.
"""

import json
from collections.abc import Sequence
from datetime import datetime
from pathlib import Path
from typing import Any

# What an expression of a template raises besides Jinja's own errors: of Python's operators and methods.
_ERRORS = (ArithmeticError, AttributeError, LookupError, RecursionError, TypeError, ValueError)
_SPECIAL_NAMES = ("bos_token", "eos_token", "unk_token", "sep_token", "pad_token", "cls_token", "mask_token")


class ChatTemplate:
    """The default chat template of a tokenizer folder, told that it is `date` (YYYY-MM-DD; empty: today) all along.

    Raises ValueError naming the folder when it has none.
    """

    def __init__(self, folder: Path, *, date: str = "") -> None:
        self._folder = folder
        config = _read_config(folder / "tokenizer_config.json")
        self._tokens = {name: _text_of(config[name]) for name in _SPECIAL_NAMES if config.get(name) is not None}
        now = datetime.fromisoformat(date) if date else datetime.now()
        self._compiled = _compile(_find_template(folder, config), folder, now)

    def render(self, messages: Sequence[tuple[str, str]], *, add_generation_prompt: bool) -> str:
        """Text of (role, content) turns. Raises ValueError with the template's own complaint."""
        from jinja2.exceptions import TemplateError

        turns = [{"role": role, "content": content} for role, content in messages]
        try:
            return str(
                self._compiled.render(
                    messages=turns,
                    tools=None,
                    documents=None,
                    add_generation_prompt=add_generation_prompt,
                    **self._tokens,
                )
            )
        except (TemplateError, *_ERRORS) as error:
            raise ValueError(f"the chat template of {str(self._folder)!r} refuses the conversation: {error}") from None


def _read_config(path: Path) -> dict[str, Any]:
    if not path.is_file():
        return {}
    try:
        config = json.loads(path.read_text(encoding="utf-8"))
    except ValueError as error:  # no JSON, or no UTF-8
        raise ValueError(f"tokenizer file {str(path)!r} is not JSON: {error}") from None
    if not isinstance(config, dict):
        raise ValueError(f"tokenizer file {str(path)!r} holds {type(config).__name__}, expected keys and values")
    return config


def _text_of(token: Any) -> str:
    return str(token["content"] if isinstance(token, dict) else token)


def _find_template(folder: Path, config: dict[str, Any]) -> str:
    """`chat_template.jinja`, else `chat_template` of the configuration (of several the one called default)."""
    file = folder / "chat_template.jinja"
    if file.is_file():
        try:
            return file.read_text(encoding="utf-8")
        except UnicodeDecodeError as error:
            raise ValueError(f"chat template {str(file)!r} is no UTF-8: {error}") from None
    found = config.get("chat_template")
    if isinstance(found, list):
        named = (entry for entry in found if isinstance(entry, dict) and entry.get("name") == "default")
        found = next(named, {}).get("template")
    if not isinstance(found, str):
        raise ValueError(f"tokenizer folder {str(folder)!r} has no chat template")
    return found


def _compile(source: str, folder: Path, now: datetime) -> Any:
    import jinja2.ext
    from jinja2.exceptions import TemplateError
    from jinja2.sandbox import ImmutableSandboxedEnvironment

    class Generation(jinja2.ext.Extension):
        """`{% generation %}` around what the assistant writes: renders its body."""

        tags = {"generation"}  # noqa: RUF012 - jinja2's own type

        def parse(self, parser: Any) -> Any:
            line = next(parser.stream).lineno
            body = parser.parse_statements(("name:endgeneration",), drop_needle=True)
            return jinja2.nodes.Scope(body, lineno=line)

    def raise_exception(message: str) -> None:
        raise TemplateError(message)

    def tojson(
        value: Any, ensure_ascii: bool = False, indent: Any = None, separators: Any = None, sort_keys: bool = False
    ) -> str:
        return json.dumps(value, ensure_ascii=ensure_ascii, indent=indent, separators=separators, sort_keys=sort_keys)

    environment = ImmutableSandboxedEnvironment(
        trim_blocks=True, lstrip_blocks=True, extensions=[Generation, jinja2.ext.loopcontrols]
    )
    environment.filters["tojson"] = tojson
    environment.globals["raise_exception"] = raise_exception
    environment.globals["strftime_now"] = now.strftime
    try:
        return environment.from_string(source)
    except (TemplateError, RecursionError) as error:
        raise ValueError(f"the chat template of {str(folder)!r} is not valid: {error}") from None
