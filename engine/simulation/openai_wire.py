"""The OpenAI-compatible messages of a simulated server: requests read, answers written, as vLLM words them."""

import time
from dataclasses import dataclass
from typing import Any

import orjson

from reasonmill.engine.records import Message


class BadRequest(Exception):
    """The request cannot be answered as it is; the message says why."""


@dataclass(frozen=True, kw_only=True, slots=True)
class Asked:
    """One request: `n` answers to a conversation, of at most max_tokens each."""

    messages: tuple[Message, ...]
    model: str
    chat: bool
    stream: bool
    include_usage: bool
    n: int
    seed: int | None
    max_tokens: int | None


def read_request(body: bytes, *, chat: bool) -> Asked:
    """The request of a body. Raises BadRequest."""
    try:
        content = orjson.loads(body)
    except orjson.JSONDecodeError as error:
        raise BadRequest(f"the body is not JSON: {error}") from None
    if not isinstance(content, dict):
        raise BadRequest("the body is not a JSON object")
    options = content.get("stream_options")
    return Asked(
        messages=_turns(content.get("messages")) if chat else (_prompt(content.get("prompt")),),
        model=str(content.get("model", "")),
        chat=chat,
        stream=bool(content.get("stream")),
        include_usage=isinstance(options, dict) and bool(options.get("include_usage")),
        n=_whole(content, "n", least=1) or 1,
        seed=_whole(content, "seed", least=-(2**63)),
        max_tokens=_whole(content, "max_completion_tokens", least=1) or _whole(content, "max_tokens", least=1),
    )


def _whole(content: dict[str, Any], key: str, *, least: int) -> int | None:
    value = content.get(key)
    if value is None:
        return None
    if not isinstance(value, int) or isinstance(value, bool) or value < least:
        raise BadRequest(f"{key}: {value!r} is not a whole number from {least} on")
    return value


def _turns(value: Any) -> tuple[Message, ...]:
    if not isinstance(value, list) or not value:
        raise BadRequest("messages: not a list of turns")
    turns = []
    for turn in value:
        if not isinstance(turn, dict) or not isinstance(turn.get("role"), str):
            raise BadRequest("messages: a turn without a role")
        turns.append(Message(role=turn["role"], content=_text(turn.get("content"))))
    return tuple(turns)


def _text(content: Any) -> str:
    if isinstance(content, str):
        return content
    if isinstance(content, list) and all(isinstance(part, dict) for part in content):
        return "".join(str(part.get("text", "")) for part in content)
    raise BadRequest("messages: content is neither text nor a list of parts")


def _prompt(value: Any) -> Message:
    if isinstance(value, list) and len(value) == 1:
        value = value[0]
    if not isinstance(value, str):
        raise BadRequest("prompt: not a text")
    return Message(role="user", content=value)


@dataclass(frozen=True, kw_only=True, slots=True)
class Frame:
    """What the messages of one answer have in common."""

    id: str
    model: str
    chat: bool
    created: int

    def whole(self, choices: list[tuple[str, str]], usage: dict[str, int]) -> bytes:
        """The complete answer; choices as (text, finish reason)."""
        kind = "chat.completion" if self.chat else "text_completion"
        listed: list[dict[str, Any]] = [
            {"index": index, "finish_reason": reason, "logprobs": None}
            | ({"message": {"role": "assistant", "content": text}} if self.chat else {"text": text})
            for index, (text, reason) in enumerate(choices)
        ]
        return orjson.dumps(self._head(kind) | {"choices": listed, "usage": usage})

    def piece(self, index: int, text: str, reason: str | None = None, *, first: bool = False) -> bytes:
        """One event of a stream."""
        choice: dict[str, Any] = {"index": index, "finish_reason": reason, "logprobs": None}
        if self.chat:
            choice["delta"] = {"role": "assistant", "content": ""} if first else {"content": text}
        else:
            choice["text"] = text
        return self._event({"choices": [choice]})

    def usage(self, usage: dict[str, int]) -> bytes:
        """The event that carries the usage."""
        return self._event({"choices": [], "usage": usage})

    def _event(self, content: dict[str, Any]) -> bytes:
        kind = "chat.completion.chunk" if self.chat else "text_completion"
        return b"data: " + orjson.dumps(self._head(kind) | content) + b"\n\n"

    def _head(self, kind: str) -> dict[str, Any]:
        return {"id": self.id, "object": kind, "created": self.created, "model": self.model}


LAST_EVENT = b"data: [DONE]\n\n"


def frame(asked: Asked, number: int) -> Frame:
    """The frame of the answer to the server's request `number`."""
    prefix = "chatcmpl" if asked.chat else "cmpl"
    return Frame(id=f"{prefix}-sim-{number}", model=asked.model, chat=asked.chat, created=int(time.time()))


def usage(prompt_tokens: int, completion_tokens: int) -> dict[str, int]:
    """Tokens as OpenAI counts them: the prompt once, the answers together."""
    return {
        "prompt_tokens": prompt_tokens,
        "completion_tokens": completion_tokens,
        "total_tokens": prompt_tokens + completion_tokens,
    }


def error_body(message: str, kind: str, code: int) -> bytes:
    """An error as vLLM words it."""
    return orjson.dumps({"error": {"message": message, "type": kind, "param": None, "code": code}})
