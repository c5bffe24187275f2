r"""The boxes of an answer part: the last complete `\boxed{}` counts, or a run of boxes as one list. Linear in the text,
whatever its braces.
"""

import re
from functools import lru_cache

_BOX_OR_BRACE = re.compile(r"(?P<box>\\{1,2}(?:boxed|fbox|framebox)\s*\{)|\\.|[{}]", re.DOTALL)
_BOX_START = re.compile(r"\\{1,2}(?:boxed|fbox|framebox)\s*\{")
_BARE_BOX = re.compile(r"\\(?:boxed|fbox)(?:\s+(?=[^\s{}$\\])|(?=\d))([^\s{}$\\]+)")


def last_boxed(text: str) -> str | None:
    r"""Content of the last complete `\boxed{}` or `\fbox{}`, braces matched; of nested boxes the outermost complete
    one. None where there is none.
    """
    boxes = find_boxes(text)
    if boxes:
        start, end = boxes[-1]
        return text[start:end].strip()
    bare = _BARE_BOX.findall(text)
    return bare[-1].rstrip(".,") if bare else None


@lru_cache(maxsize=16)
def find_boxes(text: str) -> tuple[tuple[int, int], ...]:
    """Start and end of the content of every outermost complete box."""
    found = _BOX_START.search(text)
    if found is None:
        return ()
    open_braces: list[int] = []  # start of a box's content, or -1 for any other brace
    complete: list[tuple[int, int]] = []  # outermost complete boxes so far
    for token in _BOX_OR_BRACE.finditer(text, found.start()):  # braces before the first box enclose none
        if token["box"]:
            open_braces.append(token.end())
        elif token[0] == "{":
            open_braces.append(-1)
        elif token[0] == "}" and open_braces:
            start = open_braces.pop()
            if start >= 0:
                while complete and complete[-1][0] > start:
                    complete.pop()
                complete.append((start, token.start()))
    return tuple(complete)


# Between the boxes of one list: nothing but blanks, or commas and conjunctions, in math delimiters or not.
_GLUE = re.compile(
    r"(?:\+{2,}|[\s$,;，、;*&.]|\\(?:quad|qquad|[,;()\[\]])|\\text\{\s*,?\s*(?:and|or)?\s*\}|\band\b|\bor\b|和|或)*"
)
_CONJUNCTION = re.compile(r"[,;，、]|\band\b|\bor\b|和|或")
_BREAKS = re.compile(
    r"\b(?:no|not|wait|rather|actually|instead|but|incorrect|wrong|so|hence|thus|therefore)\b|[.!?]\s", re.IGNORECASE
)
_LONGEST_GAP = 80
_MOST_WORDS = 6


def boxed_list(text: str) -> tuple[str | None, bool]:
    r"""The run of boxes that the last box ends, as one list, and whether it is certainly one: with nothing but
    `and`, `or` and commas between, not with words (`\boxed{1} papers and \boxed{2} bins`). None where the last box
    stands alone.
    """
    boxes = find_boxes(text)
    first = len(boxes) - 1
    certain = True
    while first > 0:
        link = _link(text, boxes[first - 1], boxes[first])
        if link == "":
            break
        certain = certain and link == "glue"
        first -= 1
    if len(boxes) - first < 2:
        return None, False
    return ", ".join(text[start:end].strip() for start, end in boxes[first:]), certain


def _link(text: str, left: tuple[int, int], right: tuple[int, int]) -> str:
    """`glue` or `words` between two boxes that belong together, else empty."""
    between = re.sub(r"\\{1,2}(?:boxed|fbox|framebox)\s*\{$", "", text[left[1] + 1 : right[0]])
    if len(between) > _LONGEST_GAP:
        return ""
    joined = "++" in between or _CONJUNCTION.search(between) is not None
    if _GLUE.fullmatch(between):
        return "glue" if joined or "\n" not in between else ""
    few = len(re.findall(r"[^\W\d_]{2,}", between)) <= _MOST_WORDS
    return "words" if joined and few and not _BREAKS.search(between) else ""
