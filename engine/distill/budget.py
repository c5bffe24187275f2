"""What the whole run may cost: tokens and hours. When either is spent nothing more is asked."""

import asyncio

from reasonmill.engine.distill.settings import AttemptSettings


class Budget:
    """Counts generated tokens, those of earlier lives of the run included, and the time of this one."""

    def __init__(self, settings: AttemptSettings, tokens: int) -> None:
        self._max_tokens = settings.max_tokens_total
        self._max_s = None if settings.max_hours is None else settings.max_hours * 3600.0
        self._tokens = tokens
        self._started = asyncio.get_running_loop().time()

    def spend(self, tokens: int) -> None:
        """An answer of this many tokens came."""
        self._tokens += tokens

    def exceeded(self) -> str | None:
        """The reason why nothing more is asked, None while there is budget."""
        if self._max_tokens is not None and self._tokens >= self._max_tokens:
            return "run_token_budget"
        if self._max_s is not None and asyncio.get_running_loop().time() - self._started >= self._max_s:
            return "run_time_budget"
        return None
