"""What entered and where it left: bars, and a table of reasons with an example of each."""

import re
from collections.abc import Mapping
from typing import Any

import orjson

from reasonmill.engine.report import numbers
from reasonmill.engine.report.bar_charts import Bar, horizontal_bars
from reasonmill.engine.report.html import Markup, card, missing, section, table, tag
from reasonmill.engine.report.run_figures import RunFigures

_LONGEST_EVIDENCE = 180  # characters shown
_DIGEST = re.compile("[0-9a-f]{32}")
_MAX_REASONS = 8  # bars of one kind; the table has all

MEANINGS = {
    "unreadable_line": "the line is no readable question",
    "empty": "no text",
    "incomplete": "the question breaks off",
    "unicode_ratio": "too many odd characters",
    "url": "refers to an address",
    "table": "holds a table",
    "exact_duplicate": "the same text as another question",
    "near_duplicate": "almost the text of another question",
    "contaminated_containment": "holds an evaluation question word for word",
    "contaminated_ngram": "shares rare word sequences with an evaluation question",
    "contaminated_embedding": "means the same as an evaluation question",
    "wrong_answer": "the verifier rejected every attempt",
    "unfinished": "the reasoning did not end within the token limit",
    "no_answer": "no final answer was found",
    "no_program": "no program was found",
    "runtime_error": "the program failed",
    "compile_error": "the program did not compile",
    "time_limit": "the program ran too long",
    "memory_limit": "the program used too much memory",
    "output_limit": "the program wrote too much",
    "unverifiable_gold": "the reference answer cannot be checked against",
    "no_tests": "there are no test cases",
    "bad_test_case": "the test cases cannot be read",
    "no_sandbox": "no sandbox was available, so code was not run",
    "no_verifier": "no verifier for this category",
    "worker_died_twice": "the check killed its worker twice",
    "refused": "the teacher cannot take this question",
    "not_all_teachers": "another teacher did not answer it",
    "too_long": "longer than a packed row",
    "not_encodable": "refused by the chat template",
    "repeated_ngram": "the answer loops",
    "consecutive_repetition": "the answer repeats itself",
}


def funnel(run: RunFigures) -> Markup:
    """The funnel section."""
    bars = _bars(run)
    if not bars:
        return section(
            "funnel", "Funnel", missing("No question has been read, or there is neither summary nor journal.")
        )
    return section(
        "funnel",
        "Funnel",
        card("From questions to packed documents", horizontal_bars(bars, "funnel of the run"), wide=True),
        _table("Questions removed before any teacher was asked", run.counts("removed"), run.number("queries_in"), run),
        _table(
            "Pairs of question and teacher without an accepted trace",
            run.counts("unanswered"),
            run.number("pairs"),
            run,
        ),
        _table("Accepted traces that are not in the dataset", run.counts("withheld"), run.number("accepted"), run),
        lead="Everything that enters leaves once: as an accepted trace, or here with a reason.",
    )


def _bars(run: RunFigures) -> list[Bar]:
    bars: list[Bar] = []
    queries_in = run.number("queries_in")
    if queries_in is None:
        return bars
    bars.append(Bar("questions read", queries_in, numbers.count(queries_in), "t0"))
    bars += _lost(run.counts("removed"), queries_in)
    kept, pairs, accepted = run.number("kept"), run.number("pairs"), run.number("accepted")
    if kept is not None:
        bars.append(Bar("questions kept", kept, f"{numbers.count(kept)}  ({numbers.share(kept, queries_in)})", "t0"))
    if pairs:
        bars.append(Bar("question × teacher", pairs, numbers.count(pairs), "t2"))
        bars += _lost(run.counts("unanswered"), pairs)
        bars.append(
            Bar(
                "accepted traces", accepted or 0, f"{numbers.count(accepted)}  ({numbers.share(accepted, pairs)})", "t2"
            )
        )
        withheld = run.counts("withheld")
        if withheld:
            bars += _lost(withheld, accepted or 0)
            samples = run.number("samples")
            bars.append(Bar("samples in the dataset", samples or 0, numbers.count(samples), "t2"))
    documents = run.number("documents_packed")
    if documents is not None:
        too_long = run.number("excluded_too_long") or 0
        if too_long:
            bars.append(Bar("longer than a row", too_long, numbers.count(too_long), "lost", indent=True))
        bars.append(
            Bar(
                "packed documents",
                documents,
                f"{numbers.count(documents)} in {numbers.count(run.number('rows'))} rows",
                "t1",
            )
        )
    return bars


def _lost(counts: list[tuple[str, int]], whole: float) -> list[Bar]:
    present = [(reason.replace("_", " "), number) for reason, number in counts if number]
    shown, rest = present[:_MAX_REASONS], present[_MAX_REASONS:]
    if len(rest) > 1:
        shown.append((f"{len(rest)} more reasons", sum(number for _, number in rest)))
    else:
        shown += rest
    return [
        Bar(f"− {reason}", number, f"{numbers.count(number)}  ({numbers.share(number, whole)})", "lost", indent=True)
        for reason, number in shown
    ]


def _table(title: str, counts: list[tuple[str, int]], whole: float | None, run: RunFigures) -> Markup | None:
    if not counts:
        return None
    rows = [
        (
            tag("code", reason),
            MEANINGS.get(reason, ""),
            evidence(run.removed_examples.get(reason)),
            numbers.count(number),
            numbers.share(number, whole),
        )
        for reason, number in counts
    ]
    return tag(
        "div", tag("h3", title), table(("reason", "meaning", "for example", "number", "share"), rows, text_columns=3)
    )


def evidence(line: Mapping[str, Any] | None) -> Markup | None:
    """The id of a removed item and what was held against it, cut to a line or two."""
    if line is None:
        return None
    held = line.get("evidence")
    items = held.items() if isinstance(held, Mapping) else ()
    text = " · ".join(f"{key} {_plain(value)}" for key, value in items if value not in ("", None))
    if len(text) > _LONGEST_EVIDENCE:
        text = text[:_LONGEST_EVIDENCE] + "…"
    return tag("span", tag("code", _plain(str(line.get("id")))), " ", text, class_="evidence")


def _plain(value: Any) -> str:
    """A value of evidence as people read it; ids, which are long digests, by their first digits."""
    if isinstance(value, str):
        return value[:12] + "…" if _DIGEST.fullmatch(value) else value
    return f"{value:.3g}" if isinstance(value, float) else orjson.dumps(value).decode()
