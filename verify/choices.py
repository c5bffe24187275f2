r"""Multiple choice: the letter of an answer, with or without its text, and the options that a prompt lists."""

import re
from functools import lru_cache

from reasonmill.verify.math_text import plain

_LETTER = re.compile(
    r"(?:(?:the\s+)?(?:correct\s+)?(?:option|choice|answer)(?:\s+is)?|选项?|答案为?)?\s*[:=]?\s*"
    r"(?:\\(?:text|mathrm|mathbf|textbf|boldsymbol|rm|bf)\s*\{\s*)*[\(\[]?\s*([A-J])\s*"
    r"(?:[\)\]]\s*)?\}*\s*(?:[\)\]]\s*)?(?:[.:)、,]?(?:\s+|(?<=[.)、}]))(?P<rest>.*))?[.:)]?",
    re.DOTALL | re.IGNORECASE,
)
_ANOTHER = re.compile(r"(?:\b|\()[A-J][)\].:]")
_OPTION = re.compile(
    r"(?:^|(?<=[\s;,$}]))(?:\(([A-J])\)|\\(?:text|textbf|mathrm)\{\s*\(?([A-J])\)?[.:]?\s*\}|([A-J])[).:：、])[\s~]*",
    re.MULTILINE,
)
_LEAST_OPTIONS = 2


def choice_letter(text: str) -> str | None:
    r"""Letter A to J of a multiple-choice answer such as `B`, `(B)`, `\text{(B)}`, `B. Paris`; None for other text.

    A lower-case letter counts only in parentheses or alone.
    """
    found = choice(text)
    return None if found is None else found[0]


def choice(text: str) -> tuple[str, str] | None:
    """Letter of a multiple-choice answer and the text that follows it, which may be empty."""
    stripped = " ".join(plain(text).strip().strip("$*").split()).replace("\\(", "(").replace("\\)", ")")
    match = _LETTER.fullmatch(stripped)
    if match is None:
        return None
    letter, rest = match[1], (match["rest"] or "").strip()
    if rest and (_ANOTHER.search(rest) or not _marked(stripped, letter)):
        return None  # several letters are no choice, and `A cat` is words
    if letter.islower() and not re.fullmatch(r"[\(\[]?[a-j][\)\]]?\.?", stripped):
        return None
    return letter.upper(), rest


def _marked(text: str, letter: str) -> bool:
    """Whether the letter is set off from the words behind it."""
    return re.search(rf"(?:[(\[{{]\s*{letter}\s*[)\]}}]|{letter}\s*[.:)、}}\]])", text) is not None


@lru_cache(maxsize=256)
def options_of(prompt: str) -> dict[str, str]:
    """The options that a prompt lists, by letter; empty unless they run from A without a gap."""
    text = plain(prompt)
    found = list(_OPTION.finditer(text))
    best: dict[str, str] = {}
    run: dict[str, str] = {}
    for number, mark in enumerate(found):
        letter = mark[1] or mark[2] or mark[3]
        last = number + 1 == len(found)
        end = _end_of_option(text, mark.end()) if last else found[number + 1].start()
        if letter == "A":
            run = {}
        if letter == chr(ord("A") + len(run)):
            run[letter] = text[mark.end() : end].strip().strip("$").rstrip(" ,;.\\").strip()
            best = run if len(run) >= len(best) else best
    return best if len(best) >= _LEAST_OPTIONS and all(best.values()) else {}


def _end_of_option(prompt: str, begin: int) -> int:
    """The last option ends with its line."""
    end = prompt.find("\n", begin)
    return len(prompt) if end < 0 else end
