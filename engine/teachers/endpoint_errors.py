"""What an HTTP status of an OpenAI-compatible server means for the request, the server and the run.

| response | becomes |
|---|---|
| 400, 413, 422 about the length of prompt or context | RequestRefused with the server's text |
| 400, 413, 422 otherwise | RequestRefused, where the server takes a plain question; else TeacherLost |
| 401, 402, 403, 429 about a quota | TeacherLost: the key or the account has to be mended |
| 404, 405, 501, a redirect | TeacherLost while the server has never answered: the address is wrong; NotTaken later |
| 429, 529, 503 with Retry-After | NotTaken, crowded: elsewhere, or here after the pause that it asked for |
| 200 with an error object in place of an answer | what the error's code would have become |
| any other | NotTaken: elsewhere, or here after a pause; a replica that goes on so is set aside |
"""

import re
import time

import orjson

from reasonmill.engine.teachers.faults import NotTaken, TeacherLost
from reasonmill.engine.teachers.http_client import Response
from reasonmill.engine.teachers.protocol import RequestRefused, TeacherFault
from reasonmill.verify.backoff import retry_after_s

REFUSING = frozenset({400, 413, 422})
_LENGTH = re.compile(
    r"context (length|window|size)|context_length|maximum.{0,40}(length|tokens)|max_model_len|max_tokens|"
    r"max_completion_tokens|too (long|many tokens)|longer than|input (length|tokens)|prompt length",
    re.IGNORECASE,
)


class PlainRefusal(RequestRefused):
    """Refused for a reason that is not the length: perhaps it is not the question, but how all questions are asked."""


def about_length(text: str) -> bool:
    """Whether a refusal's text is about the length of prompt, answer or context."""
    return _LENGTH.search(text) is not None


def error_of(response: Response, *, answered_before: bool, key_name: str | None) -> TeacherFault | RequestRefused:
    """The exception to raise for a response whose status is not 200."""
    status = response.status
    text = f"{status}: {message_of(response)}"
    if status in REFUSING:
        return RequestRefused(text) if about_length(text) else PlainRefusal(text)
    if status in (401, 402, 403):
        key = f"the key in {key_name} is not accepted" if key_name else "it wants a key: name its variable, api_key_env"
        return TeacherLost(f"{key} ({text})")
    if status == 429 and "insufficient_quota" in text:
        return TeacherLost(f"the account has no quota left ({text})")
    if not answered_before and (status in (404, 405, 501) or 300 <= status < 400):
        moved = f"; it points to {response.location}" if response.location else ""
        return TeacherLost(
            f"no chat completions at this address: check base_url (with its /v1) and model ({text}{moved})"
        )
    asked_s = retry_after_s(response.retry_after, now=time.time())
    crowded = status in (429, 529) or (status == 503 and asked_s is not None)
    return NotTaken(text, asked_s=asked_s, crowded=crowded)


def message_of(response: Response) -> str:
    """The server's own words: its JSON error's message, or the body's beginning."""
    try:
        body = orjson.loads(response.body)
    except orjson.JSONDecodeError:
        return response.text or "no body"
    if isinstance(body, dict):
        error = body.get("error", body)
        if isinstance(error, dict):
            code = f" [{error['code']}]" if isinstance(error.get("code"), str) else ""
            return " ".join(str(error.get("message") or error.get("detail") or error).split())[:400] + code
        return str(error)[:400]
    return response.text
