"""One answer put together from the pieces of an OpenAI chat stream, as the teacher's own text: reasoning that the
server sends apart is folded back into `<think>…</think>`.
"""

from collections.abc import Mapping
from typing import Any

import orjson

from reasonmill.engine.teachers.protocol import TeacherFault

_FINISH_REASONS = {"stop": "stop", "length": "length", "repetition": "repetition"}
_BROKEN_OFF = frozenset({"abort", "error", "cancelled"})  # finish reasons of servers that could not go on
_CHARS_PER_TOKEN = 4  # of an answer whose tokens nobody counted
DONE = b"[DONE]"
_MAX_PARTS = 256


class SaidError(TeacherFault):
    """The server sent an error in place of a piece; `status` is the HTTP status that it names, 0 without one."""

    def __init__(self, message: str, *, status: int, body: bytes) -> None:
        super().__init__(f"the server sent an error in its stream: {message}")
        self.status = status
        self.body = body


class ChatStream:
    """Feed it the payload of each event; it returns the text that came with it."""

    def __init__(self, opening: str) -> None:
        """`opening` is text that the answer was made to begin with."""
        self._parts: list[str] = [opening]
        self._opening_length = len(opening)
        self._in_reasoning = False
        self._saw_reasoning = False
        self.num_pieces = 0
        self._num_chars = 0
        self.finish_reason: str | None = None
        self.prompt_tokens: int | None = None
        self.completion_tokens: int | None = None
        self.done = False

    def feed(self, event: bytes) -> str:
        """Text of one event, possibly none. Raises SaidError, TeacherFault for what is no chat completion."""
        if event == DONE:
            self.done = True
            return ""
        try:
            chunk = orjson.loads(event)
        except orjson.JSONDecodeError as error:
            raise TeacherFault(f"a malformed piece ({error}): {_shown(event)}") from error
        if not isinstance(chunk, dict):
            raise TeacherFault(f"a piece that is no object: {_shown(event)}")
        if chunk.get("error") is not None or chunk.get("object") == "error":
            raise _error_in(chunk, event)
        try:
            return self._take(chunk, "delta")
        except (AttributeError, TypeError, KeyError, IndexError, ValueError) as error:
            raise TeacherFault(f"a piece that is no chat completion: {_shown(event)}") from error

    def take_whole(self, body: bytes) -> str:
        """Text of a response that was not streamed. Raises as `feed`."""
        try:
            completion = orjson.loads(body)
        except orjson.JSONDecodeError as error:
            raise TeacherFault(f"a malformed response ({error}): {_shown(body)}") from error
        if not isinstance(completion, dict):
            raise TeacherFault(f"a response that is no object: {_shown(body)}")
        if completion.get("error") is not None or completion.get("object") == "error":
            raise _error_in(completion, body)
        try:
            text = self._take(completion, "message")
        except (AttributeError, TypeError, KeyError, IndexError, ValueError) as error:
            raise TeacherFault(f"a response that is no chat completion: {_shown(body)}") from error
        self.done = True
        return text

    @property
    def num_tokens(self) -> int:
        """Tokens of the answer so far: as the server counts them, else about as many as its text has."""
        if self.completion_tokens:
            return self.completion_tokens
        return max(self.num_pieces, self._num_chars // _CHARS_PER_TOKEN)

    def text(self, *, keep: int | None = None) -> str:
        """The answer so far, or the first `keep` characters that came.

        A `<think>` that the server's template has opened, and not sent, is put back.
        """
        whole = "".join(self._parts)
        if keep is not None:
            whole = whole[: self._opening_length + keep]
        if "</think>" in whole and "<think>" not in whole.partition("</think>")[0]:
            return "<think>" + whole
        return whole

    def _take(self, chunk: Mapping[str, Any], key: str) -> str:
        usage = chunk.get("usage")
        if isinstance(usage, Mapping):
            self.prompt_tokens = _count(usage.get("prompt_tokens"), self.prompt_tokens)
            self.completion_tokens = _count(usage.get("completion_tokens"), self.completion_tokens)
        choice = next((one for one in chunk.get("choices") or () if not one.get("index")), None)  # one was asked for
        if choice is None:
            return ""
        delta = choice.get(key) or {}
        reasoning = delta.get("reasoning_content") or delta.get("reasoning") or ""
        content = delta.get("content") or ""
        reason = choice.get("finish_reason")
        text = self._fold(reasoning, content)
        if text:
            self.num_pieces += 1
            self._num_chars += len(text)
            self._parts.append(text)
            if len(self._parts) >= _MAX_PARTS:  # a short string costs 50 bytes more than its text
                self._parts = ["".join(self._parts)]
        if reason in _BROKEN_OFF:
            raise TeacherFault(f"the server broke the answer off: finish_reason {reason!r}")
        if reason:  # some say "" until the end
            self.finish_reason = _FINISH_REASONS.get(reason, "abort")
        return text

    def _fold(self, reasoning: str, content: str) -> str:
        text = ""
        if reasoning:
            if not self._saw_reasoning:
                text += "<think>"
                self._saw_reasoning = self._in_reasoning = True
            text += reasoning
        if self._in_reasoning and content:
            text += "</think>"
            self._in_reasoning = False
        return text + content


def _error_in(chunk: Mapping[str, Any], body: bytes) -> SaidError:
    error = chunk.get("error")
    if not isinstance(error, Mapping):
        error = {"message": error} if error else chunk
    codes = (str(error.get(key)) for key in ("code", "status", "status_code"))  # a code may be a word
    status = next((int(code) for code in codes if code.isdecimal() and len(code) == 3), 0)
    return SaidError(str(error.get("message") or error), status=status, body=body)


def _count(value: object, before: int | None) -> int | None:
    return value if isinstance(value, int) and value >= 0 else before


def _shown(data: bytes) -> str:
    return repr(data[:200].decode("utf-8", "replace"))
