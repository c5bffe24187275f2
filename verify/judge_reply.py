"""What a judge's reply says, read strictly: only the line that was asked for counts, and a reply that says two things,
or something else, says nothing. ("INCORRECT" contains "CORRECT", and a "no" may be followed by a later "yes".)
"""

import re
from typing import Literal

from reasonmill.verify.answer import split_response

Preference = Literal["A", "B", "tie"]

_EDGE = r"[\s*_`#>\"'\[\]().:]*"


def _line(label: str, value: str) -> re.Pattern[str]:
    return re.compile(
        rf"^{_EDGE}(?:final\s+)?{label}{_EDGE}[:=]?{_EDGE}({value}){_EDGE}$", re.IGNORECASE | re.MULTILINE
    )


_VERDICT = _line("verdict", r"correct|incorrect")
_SCORE = _line("score", r"[0-9]+(?:\.[0-9]+)?(?:\s*/\s*5)?")
_BETTER = _line("better", r"a|b|tie")
_WHOLE_VERDICT = re.compile(rf"{_EDGE}(correct|incorrect){_EDGE}", re.IGNORECASE)
_WHOLE_BETTER = re.compile(rf"{_EDGE}(?:answer\s+)?(a|b|tie){_EDGE}", re.IGNORECASE)
_WHOLE_SCORE = re.compile(rf"{_EDGE}([0-9]+(?:\.[0-9]+)?(?:\s*/\s*5)?){_EDGE}")
_ATTRIBUTES = [_line(name, r"[0-9]+(?:\.[0-9]+)?(?:\s*/\s*4)?") for name in ("coherence", "correctness", "helpfulness")]
_NOTHING = re.compile(r"(?!)")
MAX_SCORE = 5.0
MAX_ATTRIBUTE = 4.0


def read_correctness(reply: str) -> bool | None:
    """True for correct, False for incorrect, None where the reply does not say."""
    said = _said(reply, _VERDICT, _WHOLE_VERDICT)
    return None if said is None else said == "correct"


def read_score(reply: str) -> float | None:
    """A score from 0 to 5, None where the reply gives none or one outside."""
    said = _said(reply, _SCORE, _WHOLE_SCORE)
    if said is None:
        return None
    score = float(said.partition("/")[0])
    return score if 0.0 <= score <= MAX_SCORE else None


def read_attributes(reply: str) -> list[float] | None:
    """Coherence, correctness and helpfulness from 0 to 4, None where one is missing, said twice or outside."""
    read: list[float] = []
    for line in _ATTRIBUTES:
        said = _said(reply, line, _NOTHING)
        score = -1.0 if said is None else float(said.partition("/")[0])
        if not 0.0 <= score <= MAX_ATTRIBUTE:
            return None
        read.append(score)
    return read


def read_preference(reply: str) -> Preference | None:
    """Which answer is better, None where the reply does not say."""
    match _said(reply, _BETTER, _WHOLE_BETTER):
        case "a":
            return "A"
        case "b":
            return "B"
        case "tie":
            return "tie"
        case _:
            return None


def _said(reply: str, line: re.Pattern[str], whole: re.Pattern[str]) -> str | None:
    """What the lines of the finished part say, in lower case, if they agree."""
    parts = split_response(reply)
    if not parts.finished or not parts.answer:
        return None
    said = {match.casefold() for match in line.findall(parts.answer)}
    if not said and (alone := whole.fullmatch(parts.answer)) is not None:
        return alone[1].casefold()
    return said.pop() if len(said) == 1 else None
