"""How often the teachers had to be asked, who answers what, and why attempts failed."""

from collections import Counter

from reasonmill.engine.records import CATEGORIES
from reasonmill.engine.report import numbers
from reasonmill.engine.report.bar_charts import Series, columns
from reasonmill.engine.report.html import Child, Markup, card, grid, missing, section, table, tag
from reasonmill.engine.report.journal_figures import JournalFigures
from reasonmill.engine.report.run_figures import RunFigures


def attempts(run: RunFigures) -> Markup:
    """The section on attempts."""
    by_number = sorted((int(k), v) for k, v in run.counts("attempts_by_number_accepted") if k.isdigit())
    if not by_number:
        return section("attempts", "Attempts", missing("No attempt has been accepted."))
    first = _until_accepted(by_number, run.number("pairs"))
    if run.journal is None:
        return section(
            "attempts", "Attempts", grid(first), missing("What failed is in the journal, which cannot be read.")
        )
    return section(
        "attempts",
        "Attempts",
        _cards(first, run.journal),
        lead="A rejected answer is asked again with another seed until the verifier accepts one or attempts run out.",
    )


def _cards(first: Markup, journal: JournalFigures) -> list[Child]:
    """Cards in order; with more than two teachers the table of acceptance takes a whole row."""
    acceptance, parallel, tokens = _acceptance(journal), _parallel(journal), _tokens(journal)
    if len({teacher for teacher, _ in journal.pairs}) > 2:
        return [grid(first, tag("div", tokens, parallel, class_="stack")), acceptance, _failures(journal)]
    return [grid(first, acceptance), _failures(journal), grid(parallel, tokens)]


def _until_accepted(by_number: list[tuple[int, int]], pairs: float | None) -> Markup:
    last = by_number[-1][0]
    counts = dict(by_number)
    values = [counts.get(number, 0) for number in range(1, last + 1)]
    total = sum(values)

    def tip(label: str, row: Series, index: int) -> str:
        upto = sum(values[: index + 1])
        whole = numbers.share(upto, pairs) if pairs else numbers.share(upto, total)
        return f"attempt {label}: {numbers.count(values[index])} accepted; {whole} of all pairs up to here"

    chart = columns(
        [str(n) for n in range(1, last + 1)],
        [Series("accepted", "t2", values)],
        "attempts until accepted",
        height=330,
        axis="number of the accepted attempt",
        tips=tip,
    )
    mean = sum(number * count for number, count in by_number) / total if total else 0.0
    again = total - values[0]
    note = (
        f"Mean {mean:.2f}. {numbers.count(again)} traces ({numbers.share(again, total)}) exist only because a rejected"
    )
    return card("Attempts until accepted", chart, note=note + " answer was asked again.")


def _acceptance(journal: JournalFigures) -> Markup:
    teachers = sorted({teacher for teacher, _ in journal.pairs})
    present = {category for _, category in journal.pairs}
    categories = [c for c in CATEGORIES if c in present] + sorted(present - set(CATEGORIES))
    rows: list[list[Child]] = []
    for category in (*categories, None):
        cells = [_share_cell(*_sums(journal, teacher, category)) for teacher in (*teachers, None)]
        rows.append([category or "all", *cells])
    header = ["category", *teachers, "all"] if len(teachers) > 1 else ["category", *teachers]
    shown = rows if len(teachers) > 1 else [row[:-1] for row in rows]
    note = "Share of pairs of question and teacher that ended with an accepted trace."
    return card("Acceptance by category and teacher", table(header, shown, mark=len(shown) - 1), note=note)


def _sums(journal: JournalFigures, teacher: str | None, category: str | None) -> tuple[int, int]:
    keys = [k for k in journal.pairs if teacher in (None, k[0]) and category in (None, k[1])]
    return sum(journal.accepted[k] for k in keys), sum(journal.pairs[k] for k in keys)


def _share_cell(part: int, whole: int) -> Markup:
    if not whole:
        return tag("span", numbers.DASH)
    small = tag("small", f"{numbers.count(part)} / {numbers.count(whole)}")
    return tag("span", numbers.share(part, whole), small, class_="heat", style=f"--share:{part / whole:.3f}")


def _failures(journal: JournalFigures) -> Markup | None:
    teachers = sorted({teacher for teacher, _, _ in journal.attempts})
    reasons: Counter[tuple[str, str]] = Counter()
    for (_, outcome, reason), number in journal.attempts.items():
        if outcome != "pass":
            reasons[outcome, reason] += number
    if not reasons:
        return None
    total = sum(journal.attempts.values())
    rows = [
        [tag("code", reason or "–"), outcome.replace("_", " ")]
        + [numbers.count(journal.attempts[teacher, outcome, reason]) for teacher in teachers]
        + [numbers.count(number), numbers.share(number, total)]
        for (outcome, reason), number in reasons.most_common()
    ]
    header = ["reason", "outcome", *teachers, "all", "of all attempts"]
    return tag("div", tag("h3", "Attempts that were not accepted"), table(header, rows, text_columns=2))


def _parallel(journal: JournalFigures) -> Markup | None:
    if len({teacher for teacher, _ in journal.pairs}) < 2:
        return None
    total = sum(journal.answered_by.values())
    rows = [
        [f"{answers} teacher{'s' * (answers != 1)}", numbers.count(number), numbers.share(number, total)]
        for answers, number in sorted(journal.answered_by.items(), reverse=True)
    ]
    note = "Questions answered by all teachers make the parallel part of the dataset: same id, one trace of each."
    return card(
        "Questions by number of teachers that answered", table(["answered by", "questions", "share"], rows), note=note
    )


def _tokens(journal: JournalFigures) -> Markup:
    teachers = sorted({teacher for teacher, _ in journal.tokens})
    rows = []
    for teacher in teachers:
        whole = sum(number for (t, _), number in journal.tokens.items() if t == teacher)
        accepted = journal.tokens[teacher, "pass"]
        rows.append([teacher, numbers.count(whole), numbers.count(accepted), numbers.share(accepted, whole)])
    note = "What was paid for, and what of it became data."
    return card("Tokens generated and accepted", table(["teacher", "generated", "accepted", "share"], rows), note=note)
