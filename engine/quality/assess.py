"""The last word on an accepted answer: it stays a pass only with sound structure and without loops."""

from dataclasses import replace

from reasonmill.engine.quality.repetition import repetition
from reasonmill.engine.quality.settings import QualitySettings
from reasonmill.engine.quality.structure import structure_fault
from reasonmill.engine.records import Attempt
from reasonmill.verify.answer import split_response
from reasonmill.verify.verdict import Verdict


def assess(attempt: Attempt, verdict: Verdict, settings: QualitySettings) -> tuple[Verdict, dict[str, float]]:
    """The verdict after the quality checks, and their figures. A failed check keeps the score and names itself."""
    parts = split_response(attempt.text)
    repeated = repetition(attempt.text, settings.repetition_ngram)
    figures = {
        "num_words": float(repeated.num_words),
        "commonest_ngram_count": float(repeated.commonest_ngram_count),
        "longest_run": float(repeated.longest_run),
    }
    fault = structure_fault(
        attempt.text, parts, require_think=settings.require_think, require_answer=settings.require_answer
    )
    if fault is None and attempt.finish_reason == "length":
        fault = "unfinished"
    if fault is None and repeated.commonest_ngram_count > settings.max_ngram_count:
        fault = "repeated_ngram"
    if fault is None and repeated.longest_run > settings.max_consecutive_repeats:
        fault = "consecutive_repetition"
    if fault is None:
        return verdict, figures
    failed = replace(
        verdict, outcome="fail", verifier="quality", reason=fault, detail=f"accepted by {verdict.verifier}"
    )
    return failed, figures
