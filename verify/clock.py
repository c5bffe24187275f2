"""Times of day and dates: `10:30 a.m.` is `10:30 AM`, `3:45 p.m.` is 15:45, `May 5` is `5 May`."""

import re

from reasonmill.verify.math_text import TEXT, plain, unwrap

MAX_CHARS = 60
_TIME = re.compile(r"(?P<hour>\d{1,2})(?::(?P<minute>[0-5]\d))?(?::(?P<second>[0-5]\d))?(?P<half>[ap]m)?")
_SPACES = re.compile(r"\\[,;:! ]|[\s~]|\\q?quad(?![a-zA-Z])")
_HALF = re.compile(r"(?<=[\d\s}~,])([AaPp])\.?\s?[Mm]\.?$")
_NAMED_TIMES = {"noon": (12 * 3600, True), "midnight": (0, True), "12noon": (12 * 3600, True), "12midnight": (0, True)}
_MONTHS = ["jan", "feb", "mar", "apr", "may", "jun", "jul", "aug", "sep", "oct", "nov", "dec"]
_MONTH = (
    r"(?P<month>jan(?:uary)?|feb(?:ruary)?|mar(?:ch)?|apr(?:il)?|may|june?|july?|aug(?:ust)?|sept?(?:ember)?"
    r"|oct(?:ober)?|nov(?:ember)?|dec(?:ember)?)\.?"
)
_DAY = r"(?P<day>\d{1,2})(?:\s*(?:\^\{?)?(?:st|nd|rd|th)\}?)?"
_YEAR = r"(?:,?\s*(?P<year>\d{4}))?"
_DATES = (
    re.compile(rf"{_MONTH}\s*{_DAY}{_YEAR}"),
    re.compile(rf"{_DAY}\s*(?:of\s+)?{_MONTH}{_YEAR}"),
    re.compile(r"(?P<year>\d{4})-(?P<number>0?[1-9]|1[0-2])-(?P<day>[0-3]?\d)"),
)
_WEEKDAY = re.compile(r"^(?:mon|tues|wednes|thurs|fri|satur|sun)day,?\s+")
_CLOCK = re.compile(r"\d{1,2}:0\d")


def same_moment(gold: str, answer: str) -> bool | None:
    """Whether two texts are the same time of day or the same date; None where the gold is neither, or may be something
    else.

    A time without am or pm is read on the 24-hour clock, unless only the gold has none.
    """
    if max(len(gold), len(answer)) > MAX_CHARS:
        return None
    bare, other = (TEXT.sub(r"\1", unwrap(plain(text))).strip() for text in (gold, answer))
    date = _date(bare)
    if date is not None:
        told = _date(other)
        return told is not None and told[:2] == date[:2] and (None in (told[2], date[2]) or told[2] == date[2])
    left, right = _time(bare), _time(other)
    if left is not None and right is not None and (left[1] or right[1]):
        return left[0] == right[0] or (not left[1] and left[0] < 13 * 3600 and left[0] % 43200 == right[0] % 43200)
    if left is not None and left[1]:
        return False
    if _CLOCK.fullmatch(bare) and ":" not in other and re.fullmatch(r"[\d./\s-]*|\\frac.*", other):
        return False  # five past seven is no fraction
    return None


def _time(text: str) -> tuple[int, bool] | None:
    """Seconds since midnight, and whether am or pm was said; None for what is no time."""
    marked = _HALF.sub(lambda found: f"{found[1].lower()}m", text)
    bare = _SPACES.sub("", marked)
    if bare.casefold() in _NAMED_TIMES:
        return _NAMED_TIMES[bare.casefold()]
    found = _TIME.fullmatch(bare)
    if found is None or (found["minute"] is None and found["half"] is None):
        return None
    hour, half = int(found["hour"]), found["half"]
    if hour > 23 or (half and not 1 <= hour <= 12):
        return None
    if half:
        hour = hour % 12 + (12 if half == "pm" else 0)
    return 3600 * hour + 60 * int(found["minute"] or 0) + int(found["second"] or 0), half is not None


def _date(text: str) -> tuple[int, int, int | None] | None:
    """Month, day and, where it is said, year."""
    bare = _WEEKDAY.sub("", " ".join(text.casefold().replace("~", " ").split()))
    for pattern in _DATES:
        found = pattern.fullmatch(bare)
        if found is not None:
            parts = found.groupdict()
            month = int(parts["number"]) if parts.get("number") else _MONTHS.index(parts["month"][:3]) + 1
            year = parts.get("year")
            return month, int(parts["day"]), int(year) if year else None
    return None
