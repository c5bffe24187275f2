"""One answer that an engine is at: what it was made to begin with, and whether it is to be broken off.

The text alone decides: an answer that ends between two looks is judged by its whole text like any other.
"""

from reasonmill.engine.teachers.loop_breaker import Break, LoopBreaker, saved_tokens
from reasonmill.engine.teachers.wire import Answer, Sampling


class OpenAnswer:
    """Fed with the text as far as it is known."""

    __slots__ = ("_breaker", "_cap", "_id", "_opening", "_read", "broken")

    def __init__(self, id: int, opening: str, sampling: Sampling, *, cap: int) -> None:
        """`cap` is the most tokens that the answer can have."""
        self._id = id
        self._opening = opening
        self._breaker = LoopBreaker(sampling.loop_breaker) if sampling.loop_breaker.enabled else None
        self._cap = cap
        self._read = 0
        self.broken: Break | None = None

    def look(self, text: str) -> bool:
        """The text so far, without the opening; whether to break it off."""
        if self._breaker is not None and self.broken is None and len(text) > self._read:
            self.broken = self._breaker.feed(text[self._read :])
            self._read = len(text)
        return self.broken is not None

    def answer(self, text: str, finish_reason: str, *, prompt_tokens: int, completion_tokens: int) -> Answer:
        """The answer with the whole text that there is; where it is broken off, cut and with the reason."""
        saved = 0
        if self.look(text):
            assert self.broken is not None, "looked"
            text, finish_reason = text[: self.broken.keep], self.broken.finish_reason
            saved = saved_tokens(finish_reason, generated=completion_tokens, cap=self._cap, expected=None)
        return Answer(
            id=self._id,
            text=self._opening + text,
            finish_reason=finish_reason,
            prompt_tokens=prompt_tokens,
            completion_tokens=completion_tokens,
            saved_tokens=saved,
        )
