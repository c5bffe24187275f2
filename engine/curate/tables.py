"""Finds tables in a text: markdown, HTML, LaTeX, ASCII and box-drawn grids, tab-separated columns.

Mathematics and programs are full of pipes, dashes and ampersands; a table is recognised by its second dimension, that
is by lines that repeat the columns of the line before.
"""

import itertools
import re

_MARKDOWN_RULE = re.compile(r"^[ \t]*\|?[ \t]*:?-+:?[ \t]*(?:\|[ \t]*:?-+:?[ \t]*)+\|?[ \t]*$")
_MARKDOWN_ROW = re.compile(r"^[ \t]*\|[ \t].*[ \t]\|[ \t]*$")
_HTML = re.compile(r"<table\b.*?<t[rdh]\b|<tr\b[^>]*>\s*<t[dh]\b", re.IGNORECASE | re.DOTALL)
_LATEX = re.compile(r"\\begin\{(?:tabular[xy*]?|longtable|tabu|table\*?)\}")
_RULED_ARRAY = re.compile(r"\\begin\{array\}\s*(?:\[\w\]\s*)?\{[^{}\n]*\|[^{}\n]*\}.*?\\hline", re.DOTALL)
_ASCII_RULE = re.compile(r"^[ \t]*\+(?:[-=]{2,}\+)+[ \t]*$", re.MULTILINE)
_BOX_RULE = re.compile(r"[┌├└╔╠╚╒╞╘][─━═]+[┬┼┴╦╬╩╤╪╧]")
_TABBED_ROW = re.compile(r"^[^\t\n]+(?:\t+[^\t\n]+){2,}$")
_ROWS = 3  # lines alike that make a table where there is no ruled line


def find_table(text: str) -> tuple[str, str] | None:
    """Kind of the first table found and the start of it, or None."""
    if "|" in text and (line := _pipe_table(text)):
        return "markdown", line
    if "<" in text and "<t" in text.lower() and (match := _HTML.search(text)):
        return "html", match[0]
    if "\\begin{" in text and (match := _LATEX.search(text) or _RULED_ARRAY.search(text)):
        return "latex", match[0]
    if "--+" in text or "==+" in text:
        rules = _ASCII_RULE.findall(text)
        if len(rules) >= 2:
            return "ascii", rules[0]
    if not text.isascii() and (match := _BOX_RULE.search(text)):
        return "box", match[0]
    if "\t" in text and (line := _repeated_columns(text, _TABBED_ROW, "\t", 2)):
        return "tabs", line
    return None


def _pipe_table(text: str) -> str | None:
    lines = text.splitlines()
    for above, line in itertools.pairwise(lines):
        if "|" in line and "|" in above and _MARKDOWN_RULE.match(line):
            return above
    return _repeated_columns(text, _MARKDOWN_ROW, "|", 3)


def _repeated_columns(text: str, row: re.Pattern[str], separator: str, least: int) -> str | None:
    """First of `_ROWS` lines in a row that match `row` and hold equally many, at least `least`, separators."""
    count = run = 0
    first = ""
    for line in text.splitlines():
        here = line.count(separator) if row.match(line) else 0
        if here < least:
            count = run = 0
            continue
        if here != count:
            count, run, first = here, 0, line
        run += 1
        if run == _ROWS:
            return first
    return None
