"""Share of a text that is corrupted: what is left of text when its encoding was lost.

Counted are replacement characters, controls other than tab, newline and carriage return, private-use characters,
noncharacters, lone surrogates, block graphics, piles of three and more combining diacritics, UTF-8 that was read as
Latin-1 or Windows-1252 ("Ã©", "â€™"), and the phrases into which GBK turns replacement characters and uninitialised
memory. Letters of any script, mathematical signs and emoji are not.
"""

import re

_CP1252 = bytes(code for code in range(0x80, 0xA0) if code not in (0x81, 0x8D, 0x8F, 0x90, 0x9D)).decode("cp1252")
_TAIL = f"[\u0080-\u00bf{_CP1252}]"  # a continuation byte as it is shown in either code page
_SUSPECT = re.compile(
    "[\u2580-\u259f\ufff9-\ufffd\ue000-\uf8ff\ufdd0-\ufdef\ufffe\uffff\ud800-\udfff\U000f0000-\U0010ffff]"
    "|[\x00-\x08\x0b\x0c\x0e-\x1f\x7f]"
    f"|[\u00c3\u00c2]{_TAIL}|[\u00c4-\u00df][\u0080-\u00bf]"  # two bytes
    f"|[\u00e0-\u00ef]{_TAIL}{{2}}"  # three: quotes, dashes, Han
    f"|[\u00f0-\u00f4]{_TAIL}{{3}}"  # four: emoji
    "|[\u0080-\u009f]|[\u0300-\u036f]{3,}"
    "|\u951f\u65a4\u62f7|(?:\u70eb){3,}|(?:\u5c6f){3,}"
)
# What a match of _SUSPECT may begin with: one set of characters is looked for ten times as fast as the alternatives.
_LEAD = re.compile(
    "[\u2580-\u259f\ufff9-\ufffd\ue000-\uf8ff\ufdd0-\ufdef\ufffe\uffff\ud800-\udfff\U000f0000-\U0010ffff"
    "\x00-\x08\x0b\x0c\x0e-\x1f\x7f\u0080-\u009f\u00c2-\u00f4\u0300-\u036f\u951f\u70eb\u5c6f]"
)
_ASCII_CONTROL = re.compile(r"[\x00-\x08\x0b\x0c\x0e-\x1f\x7f]")


def corrupted_ratio(text: str) -> float:
    """Corrupted characters over visible ones, in [0, 1]; 0 for a text without visible characters."""
    pattern = _ASCII_CONTROL if text.isascii() else _SUSPECT
    if not _LEAD.search(text) or not pattern.search(text):
        return 0.0
    corrupted = sum(len(match[0]) for match in pattern.finditer(text))
    visible = sum(map(len, text.split()))
    # str.split takes the separators \x1c to \x1f for spaces, and they are counted as corrupted
    return min(1.0, corrupted / max(1, visible))
