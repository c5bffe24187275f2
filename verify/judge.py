"""A judge model's verdicts. Closed on failure: a judge that cannot be reached, or whose reply does not say what was
asked, makes a check that was not run, never a pass and never a fail. Equal questions are asked once.
"""

from dataclasses import dataclass
from types import TracebackType
from typing import Protocol

from reasonmill.verify import judge_prompts
from reasonmill.verify.judge_client import JudgeClient, JudgeUnreachable
from reasonmill.verify.judge_prompts import Messages
from reasonmill.verify.judge_reply import (
    MAX_SCORE,
    Preference,
    read_attributes,
    read_correctness,
    read_preference,
    read_score,
)
from reasonmill.verify.judge_store import ReplyStore
from reasonmill.verify.settings import JudgeSettings
from reasonmill.verify.verdict import Verdict, not_run, scored

VERIFIER = "judge"
MAX_QUESTION_CHARS = 20_000  # of any part of a prompt: the end of a longer text is what counts
_UNCLEAR = "judge_unclear"


class Asker(Protocol):
    """What answers a conversation; JudgeClient, or a script."""

    async def ask(self, messages: Messages) -> str:
        """Text of the reply. Raises JudgeUnreachable."""
        ...

    async def close(self) -> None:
        """Close all connections."""
        ...


@dataclass(frozen=True, kw_only=True, slots=True)
class Pair:
    """Which of two answers is better, asked in both orders; `agreed` is False where the order decided."""

    preference: Preference | None
    agreed: bool
    detail: str = ""


class Judge:
    """`async with Judge(settings) as judge`; any number of tasks may ask."""

    def __init__(self, settings: JudgeSettings, asker: Asker | None = None) -> None:
        self._asker: Asker = JudgeClient(settings) if asker is None else asker
        self._store = ReplyStore(settings.cache_path, settings.cache_size)
        # what the reply depends on: one that was cut off at fewer tokens is asked for anew
        self._key = (settings.model, judge_prompts.VERSION, str(settings.max_tokens), str(settings.temperature))

    async def __aenter__(self) -> "Judge":
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        await self.close()

    async def close(self) -> None:
        """Close connections and the store."""
        await self._asker.close()
        self._store.close()

    async def correct(self, *, question: str, gold: str, answer: str) -> Verdict:
        """Whether an answer is the reference's: 1 or 0."""
        messages = judge_prompts.correctness(question=_end(question), gold=_end(gold), answer=_end(answer))
        try:
            reply = await self._reply(messages)
        except JudgeUnreachable as error:
            return not_run("judge_unreachable", verifier=VERIFIER, detail=str(error))
        said = read_correctness(reply)
        if said is None:
            return _unclear(reply)
        return scored(float(said), verifier=VERIFIER, reason="ok" if said else "wrong_answer")

    async def rate(self, *, question: str, gold: str, answer: str) -> Verdict:
        """How far an answer agrees with the reference: a score from 0 to 5, divided by 5."""
        messages = judge_prompts.agreement(question=_end(question), gold=_end(gold), answer=_end(answer))
        try:
            reply = await self._reply(messages)
        except JudgeUnreachable as error:
            return not_run("judge_unreachable", verifier=VERIFIER, detail=str(error))
        score = read_score(reply)
        if score is None:
            return _unclear(reply)
        verdict = scored(score / MAX_SCORE, verifier=VERIFIER, reason="ok", detail=f"judged {score:g} of 5")
        if verdict.outcome == "pass":
            return verdict
        return scored(score / MAX_SCORE, verifier=VERIFIER, reason="wrong_answer", detail=verdict.detail)

    async def quality(self, *, question: str, answer: str) -> list[float] | Verdict:
        """Coherence, correctness and helpfulness of an answer without a reference, each from 0 to 4; the verdict where
        they are not heard.
        """
        messages = judge_prompts.quality(question=_end(question), answer=_end(answer))
        try:
            reply = await self._reply(messages)
        except JudgeUnreachable as error:
            return not_run("judge_unreachable", verifier=VERIFIER, detail=str(error))
        return read_attributes(reply) or _unclear(reply)

    async def prefer(self, *, question: str, first: str, second: str) -> Pair:
        """The better of two answers. Asked in both orders: where these disagree it is a tie."""
        said: list[Preference] = []
        for one, other in ((first, second), (second, first)):
            messages = judge_prompts.preference(question=_end(question), first=_end(one), second=_end(other))
            try:
                reply = await self._reply(messages)
            except JudgeUnreachable as error:
                return Pair(preference=None, agreed=False, detail=str(error))
            preference = read_preference(reply)
            if preference is None:
                return Pair(preference=None, agreed=False, detail=f"unclear: {reply[-200:]}")
            said.append(preference)
        swapped: Preference = {"A": "B", "B": "A"}.get(said[1], "tie")  # type: ignore[assignment]
        return Pair(preference=said[0] if said[0] == swapped else "tie", agreed=said[0] == swapped)

    async def _reply(self, messages: Messages) -> str:
        return await self._store.get((*self._key, messages[-1]["content"]), lambda: self._asker.ask(messages))


def _end(text: str) -> str:
    return text if len(text) <= MAX_QUESTION_CHARS else "… " + text[-MAX_QUESTION_CHARS:]


def _unclear(reply: str) -> Verdict:
    return not_run(_UNCLEAR, verifier=VERIFIER, detail=f"the reply says no verdict: {reply[-200:]}")
