"""Parts of a response: reasoning, answer, last box, last program, letter. Only a finished answer part is looked at,
and where several candidates stand there, the last one counts.
"""

import re
import textwrap
from collections.abc import Iterator
from dataclasses import dataclass

_OPEN_THINK = ("<think>", "<|begin_of_thought|>")
_CLOSE_THINK = ("</think>", "<|end_of_thought|>")
_OPEN_ANSWER = ("<answer>", "<|begin_of_solution|>")
_CLOSE_ANSWER = ("</answer>", "<|end_of_solution|>")


@dataclass(frozen=True, kw_only=True, slots=True)
class Response:
    """Reasoning and answer of a response, None where absent. An answer counts only if `finished`."""

    think: str | None
    answer: str | None
    finished: bool


@dataclass(frozen=True, kw_only=True, slots=True)
class Program:
    """Source of a program; language is `python` or `cpp`."""

    language: str
    source: str


def split_response(text: str) -> Response:
    """Split at the last end of reasoning. The opening tag may be missing (prefilled by the chat template) and so may
    the answer's tags; a text without any tag is all answer. Reasoning or an answer that was opened and never closed
    makes the response unfinished.
    """
    start, end = _last(text, _CLOSE_THINK)
    if end < 0:
        opened, _ = _first(text, _OPEN_THINK)
        if opened >= 0:
            return Response(think=_after_opening(text), answer=None, finished=False)
        return _with_answer(None, text)
    tail = text[end:]
    if _first(tail, _OPEN_THINK)[0] >= 0:
        return Response(think=_after_opening(text), answer=None, finished=False)
    return _with_answer(_after_opening(text[:start]), tail)


def _with_answer(think: str | None, tail: str) -> Response:
    _, begin = _last(tail, _OPEN_ANSWER)
    if begin < 0:
        return Response(think=think, answer=tail.strip(), finished=True)
    inside = tail[begin:]
    close, _ = _first(inside, _CLOSE_ANSWER)
    if close < 0:
        return Response(think=think, answer=inside.strip(), finished=False)
    return Response(think=think, answer=inside[:close].strip(), finished=True)


def _after_opening(text: str) -> str:
    _, begin = _first(text, _OPEN_THINK)
    return text[max(begin, 0) :].strip()


def _first(text: str, tags: tuple[str, ...]) -> tuple[int, int]:
    """Start and end of the first tag, or -1, -1."""
    found = [(at, at + len(tag)) for tag in tags if (at := text.find(tag)) >= 0]
    return min(found, default=(-1, -1))


def _last(text: str, tags: tuple[str, ...]) -> tuple[int, int]:
    """Start and end of the last tag, or -1, -1."""
    found = [(at, at + len(tag)) for tag in tags if (at := text.rfind(tag)) >= 0]
    return max(found, default=(-1, -1))


_BOX_OR_BRACE = re.compile(r"(?P<box>\\(?:boxed|fbox)\s*\{)|\\.|[{}]", re.DOTALL)
_BARE_BOX = re.compile(r"\\boxed\s+([^\s{}$\\]+)")


def last_boxed(text: str) -> str | None:
    r"""Content of the last complete `\boxed{}` or `\fbox{}`, braces matched; of nested boxes the outermost complete
    one. None where there is none.
    """
    boxes = _boxes(text)
    if boxes:
        start, end = boxes[-1]
        return text[start:end].strip()
    bare = _BARE_BOX.findall(text)
    return bare[-1].rstrip(".,") if bare else None


def _boxes(text: str) -> list[tuple[int, int]]:
    """Start and end of the content of every outermost complete box. Linear in the text, whatever its braces."""
    open_braces: list[int] = []  # start of a box's content, or -1 for any other brace
    complete: list[tuple[int, int]] = []  # outermost complete boxes so far
    for token in _BOX_OR_BRACE.finditer(text):
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
    return complete


_BETWEEN_BOXES = re.compile(r"(?:[\s$,;*&]|\\(?:quad|qquad|[,;()])|\\text\{\s*(?:and|or)\s*\}|\band\b|\bor\b)*")


def joined_boxes(text: str) -> str | None:
    r"""The contents of a run of boxes with nothing but `and`, `or` and commas between them, the last box included, as
    one list; None where the last box stands alone.
    """
    boxes = _boxes(text)
    first = len(boxes) - 1
    while first > 0 and _connected(text, boxes[first - 1], boxes[first]):
        first -= 1
    if len(boxes) - first < 2:
        return None
    return ", ".join(text[start:end].strip() for start, end in boxes[first:])


def _connected(text: str, left: tuple[int, int], right: tuple[int, int]) -> bool:
    if right[0] - left[1] > 80:
        return False
    between = re.sub(r"\\(?:boxed|fbox)\s*\{$", "", text[left[1] + 1 : right[0]])
    return _BETWEEN_BOXES.fullmatch(between) is not None


_FENCE_LINE = re.compile(r"(?P<indent>[ \t]*)(?P<fence>`{3,}|~{3,})[ \t]*(?P<tag>[\w+#.-]*)[ \t]*(?P<rest>.*)")
_LANGUAGES = {
    "python": "python",
    "python3": "python",
    "py": "python",
    "py3": "python",
    "cpp": "cpp",
    "c++": "cpp",
    "cc": "cpp",
    "cxx": "cpp",
}
_LOOKS_CPP = re.compile(r"^[ \t]*#[ \t]*include\b|\bint[ \t]+main[ \t]*\(", re.MULTILINE)
_LOOKS_PYTHON = re.compile(
    r"^[ \t]*(?:def |class |import |from \w+ import |print[ \t]*\(|for .+:|while .+:|\w+[ \t]*=[^=])", re.MULTILINE
)


def last_program(text: str, *, defines: str | None = None) -> Program | None:
    """The last closed fenced block that holds a Python or C++ program, or None.

    With `defines`, the last Python block that defines this function or class is preferred, so that an example of its
    use that follows it is not mistaken for the program.
    """
    programs = [p for tag, source in _fenced_blocks(text) if (p := _program(tag, source)) is not None]
    if not programs:
        return None
    if defines:
        definition = re.compile(rf"^[ \t]*(?:async[ \t]+def|def|class)[ \t]+{re.escape(defines)}\b", re.MULTILINE)
        for program in reversed(programs):
            if program.language == "python" and definition.search(program.source):
                return program
    return programs[-1]


def _fenced_blocks(text: str) -> Iterator[tuple[str, str]]:
    """Tag and content of every closed block, in order; one look at each line."""
    opening: re.Match[str] | None = None
    content: list[str] = []
    for line in text.replace("\r\n", "\n").split("\n"):
        fence = _FENCE_LINE.fullmatch(line)
        if opening is None:
            opening, content = fence, []
        elif fence is not None and fence["fence"].startswith(opening["fence"]) and not (fence["tag"] or fence["rest"]):
            source = "".join(f"{part}\n" for part in content)
            yield opening["tag"].lower(), textwrap.dedent(source) if opening["indent"] else source
            opening = None
        else:
            content.append(line)


def _program(tag: str, source: str) -> Program | None:
    language = _LANGUAGES.get(tag)
    if not source.strip() or (tag and language is None):
        return None
    if language is None:
        if _LOOKS_CPP.search(source):
            language = "cpp"
        elif _LOOKS_PYTHON.search(source):
            language = "python"
        else:
            return None
    return Program(language=language, source=source)


_LETTER = re.compile(
    r"(?:option|choice|answer)?\s*[:=]?\s*(?:\\(?:text|mathrm|mathbf|textbf|boldsymbol)\s*\{)?\s*[\(\[]?\s*([A-J])\s*"
    r"(?:[\)\]]\s*)?(?:\})?\s*(?:[.:)](?:\s+(?P<rest>.*))?)?",
    re.DOTALL | re.IGNORECASE,
)


def choice_letter(text: str) -> str | None:
    r"""Letter A to J of a multiple-choice answer such as `B`, `(B)`, `\text{(B)}`, `B. Paris`; None for other text.

    A lower-case letter counts only in parentheses or alone.
    """
    stripped = " ".join(text.strip().strip("$*").split())
    match = _LETTER.fullmatch(stripped)
    if match is None:
        return None
    letter = match[1]
    if match["rest"] and re.search(r"\b[A-J][)\]]", match["rest"]):
        return None  # several letters are no choice
    if letter.islower() and not re.fullmatch(r"[\(\[]?[a-j][\)\]]?\.?", stripped):
        return None
    return letter.upper()


_STATED = re.compile(
    r".*(?:\b(?:answer|result|solution)\b[\s*]*(?:\b(?:is|are|equals)\b|[:=]|(?=\$|\\\())[\s*:]*|^\s*####\s*)(?P<value>.+)",
    re.IGNORECASE,
)
_MATH_SPAN = re.compile(r"\$\$?([^$]+)\$\$?|\\\((.+?)\\\)|\\\[(.+?)\\\]")
_ENDS_IN_VALUE = re.compile(r".*\b(?:is|are|equals|be|=)\s+(?P<value>\S+)", re.IGNORECASE)
_NEXT_SENTENCE = re.compile(r"\.\s+[A-Z].*")
SHORT_ANSWER_CHARS = 100


def short_answer(text: str) -> str | None:
    """Answer of an answer part without a box: what the last "the answer is" or "####" of its last line states, else
    all of it where it is one short line, without the words around a single formula or a final value. None where it
    states nothing.
    """
    lines = [line.strip() for line in text.strip().splitlines() if line.strip()]
    if not lines:
        return None
    stated = _STATED.fullmatch(lines[-1][-2 * SHORT_ANSWER_CHARS :])
    if stated is not None:
        return _bare(_NEXT_SENTENCE.sub("", stated["value"]))
    if len(lines) > 1 or len(lines[0]) > SHORT_ANSWER_CHARS:
        return None
    line = _bare(lines[0]) or ""
    spans = _MATH_SPAN.findall(line)
    if len(spans) == 1:
        return _bare("".join(spans[0]))
    value = _ENDS_IN_VALUE.fullmatch(line)
    return _bare(value["value"]) if value is not None and not spans else line or None


def _bare(text: str) -> str | None:
    stripped = text.strip().strip("*").strip()
    if stripped.endswith(".") and not stripped.endswith("..."):
        stripped = stripped[:-1].rstrip()
    return stripped.strip("*").strip() or None
