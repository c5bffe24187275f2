"""Verdicts on answers that are compared with a reference: rules first, then algebra in a worker, then a judge where one
is set. The judge is asked only about what the rules did not accept (arXiv 2505.14464 section 2.2), and only where the
response holds a finished answer.
"""

from reasonmill.verify.answer import split_response
from reasonmill.verify.cache import VerdictCache
from reasonmill.verify.judge import Judge
from reasonmill.verify.math_answer import Comparison, check_part, extract_answers, gold_answers
from reasonmill.verify.math_pool import MathPool
from reasonmill.verify.request import VerifyRequest
from reasonmill.verify.science import decide_science, is_prose
from reasonmill.verify.settings import VerifySettings
from reasonmill.verify.verdict import Verdict, not_run, scored

VERSION = 4  # of the rules; part of every cache key, so that no verdict outlives the rules that made it
RULES = "rules"


class AnswerChecker:
    """Checks requests of the categories math, science and other that have a ground truth."""

    def __init__(self, settings: VerifySettings, algebra: MathPool, judge: Judge | None) -> None:
        self._settings = settings
        self._algebra = algebra
        self._judge = judge
        self._cache = VerdictCache(settings.cache_size)

    async def check(self, request: VerifyRequest) -> Verdict:
        """The verdict. Nothing but a finished answer part is looked at."""
        golds = gold_answers(request.ground_truth)
        if not golds:
            return not_run("unverifiable_gold", verifier=RULES, detail="the question has no ground truth")
        parts = split_response(request.response)
        if not parts.finished:
            return scored(0.0, verifier=RULES, reason="unfinished")
        part = parts.answer or ""
        science = request.category == "science"
        verdict = await (self._by_science(request, part, golds) if science else self._by_math(request, part, golds))
        if request.category == "other" and verdict.reason == "wrong_answer" and all(map(is_prose, golds)):
            verdict = _needs_judge()
        if self._judge is None or verdict.outcome == "pass" or not _worth_judging(verdict):
            return verdict
        return await self.judge(request)

    async def judge(self, request: VerifyRequest) -> Verdict:
        """The judge's verdict on a finished answer."""
        golds = gold_answers(request.ground_truth)
        if self._judge is None or not golds:
            return not_run("no_verifier", verifier="none", detail="there is no judge, or no ground truth")
        parts = split_response(request.response)
        if not parts.finished:
            return scored(0.0, verifier=RULES, reason="unfinished")
        answers, _ = extract_answers(parts.answer or "")
        answer = answers[0] if answers else (parts.answer or "")
        if not answer.strip():
            return scored(0.0, verifier=RULES, reason="no_answer")
        ask = self._judge.rate if request.category == "science" else self._judge.correct
        return await ask(question=request.prompt, gold=" or ".join(golds), answer=answer)

    async def _by_math(self, request: VerifyRequest, part: str, golds: tuple[str, ...]) -> Verdict:
        found = check_part(part, golds, max_answer_chars=self._settings.max_answer_chars, prompt=request.prompt)
        return found if isinstance(found, Verdict) else await self._by_algebra(request.category, found)

    async def _by_algebra(self, category: str, comparisons: list[Comparison]) -> Verdict:
        """Pass if one comparison succeeds; else the first verdict that says most."""
        verdicts: list[Verdict] = []
        for comparison in comparisons:
            key = (category, VERSION, comparison)
            verdict = await self._cache.get(key, lambda one=comparison: self._algebra.compare(one))  # type: ignore[misc]
            if verdict.outcome == "pass":
                return verdict
            verdicts.append(verdict)
        return min(verdicts, key=_rank)

    async def _by_science(self, request: VerifyRequest, part: str, golds: tuple[str, ...]) -> Verdict:
        answers, _ = extract_answers(part)
        sure = bool(answers)
        for gold in golds:
            for answer in answers:
                same = decide_science(gold, answer, tolerance=self._settings.science_tolerance, prompt=request.prompt)
                if same:
                    return scored(1.0, verifier=RULES, reason="ok")
                sure = sure and same is False
        if all(map(is_prose, golds)):
            return _needs_judge() if part.strip() else _nothing()
        if sure:
            return scored(0.0, verifier=RULES, reason="wrong_answer")
        return await self._by_math(request, part, golds)


def _needs_judge() -> Verdict:
    return not_run("no_verifier", verifier="none", detail="a reference in prose needs a judge")


def _nothing() -> Verdict:
    return scored(0.0, verifier=RULES, reason="no_answer")


def _rank(verdict: Verdict) -> int:
    """Verdicts of alternatives in the order in which they are told: what may pass, a fail, what was not run."""
    return 0 if verdict.transient else 1 if verdict.outcome == "fail" else 2


def _worth_judging(verdict: Verdict) -> bool:
    return verdict.reason in ("wrong_answer", "time_limit", "unverifiable_gold", "no_verifier", "worker_died_twice")
