"""Parts of a response: reasoning, answer, last program. Only a finished answer part is looked at,
and where several candidates stand there, the last one counts.
"""

import re
import textwrap
from collections.abc import Iterator
from dataclasses import dataclass

_OPEN_THINK = ("<think>", "<thinking>", "<thought>", "<reasoning>", "<|begin_of_thought|>", "[THINK]", "◁think▷")
_CLOSE_THINK = ("</think>", "</thinking>", "</thought>", "</reasoning>", "<|end_of_thought|>", "[/THINK]", "◁/think▷")
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
    start = end = -1
    for tag in tags:
        at = text.find(tag)
        while at >= 0 and _is_quoted(text, at, tag):
            at = text.find(tag, at + len(tag))
        if at >= 0 and (start < 0 or at < start):
            start, end = at, at + len(tag)
    return start, end


def _last(text: str, tags: tuple[str, ...]) -> tuple[int, int]:
    """Start and end of the last tag, or -1, -1."""
    start = end = -1
    for tag in tags:
        at = text.rfind(tag) if tag in text else -1  # looking for what is not there is quicker forwards
        while at >= 0 and _is_quoted(text, at, tag):
            at = text.rfind(tag, 0, at)
        if at > start:
            start, end = at, at + len(tag)
    return start, end


def _is_quoted(text: str, at: int, tag: str) -> bool:
    """Whether a tag stands in quotes: it is talked about, or part of a program."""
    before, behind = text[at - 1 : at], text[at + len(tag) : at + len(tag) + 1]
    return before == behind and before in ("'", '"', "`")


_FENCE_LINE = re.compile(r"(?P<indent>[ \t]*)(?P<fence>`{3,}|~{3,})[ \t]*(?P<tag>[\w+#.-]*)[ \t]*(?P<rest>.*)")
# a fence behind words or a list mark: only where it names a language
_FENCE_BEHIND = re.compile(r"(?P<indent>[^`~]+)(?P<fence>`{3,}|~{3,})[ \t]*(?P<tag>[\w+#.-]+)[ \t]*(?P<rest>)")
_PYTHON_TAG = re.compile(r"(?:python|py|pypy)[\d.]*")
_CPP_TAG = re.compile(r"(?:cpp|c\+\+|cc|cxx|g\+\+|gnu\+\+)\d*")
_LOOKS_CPP = re.compile(r"^[ \t]*#[ \t]*include\b|\bint[ \t]+main[ \t]*\(", re.MULTILINE)
_LOOKS_PYTHON = re.compile(
    r"^[ \t]*(?:def |class |import |from \w+ import |print[ \t]*\(|for .+:|while .+:|\w+[ \t]*=[^=])", re.MULTILINE
)
_BEGINS_CPP = re.compile(r"\s*(?:#[ \t]*(?:include|define|pragma)\b|//|/\*|using )")
_BEGINS_PYTHON = re.compile(
    r"\s*(?:#!|(?:import|from|def|class|async def) \w|@\w|\w+(?:, ?\w+)* ?= ?\S|print ?\("
    r"|(?:if|for|while|with|try)\b.*:[ \t]*$)",
    re.MULTILINE,
)


def last_program(text: str, *, defines: str | None = None) -> Program | None:
    """The last closed fenced block that holds a Python or C++ program, or an answer without a fence that is nothing
    but one; None where there is neither. A block without a language counts only where none names one.

    With `defines`, the last Python block that defines this function or class is preferred, so that an example of its
    use that follows it is not mistaken for the program.
    """
    found = [(tag, p) for tag, source in _fenced_blocks(text) if (p := _program(tag, source)) is not None]
    programs = [p for tag, p in found if tag] or [p for _, p in found]
    if not programs:
        return None if "```" in text or "~~~" in text else _bare_program(text)
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
            if fence is None and ("```" in line or "~~~" in line):
                fence = _FENCE_BEHIND.fullmatch(line)
                fence = fence if fence is not None and _language(fence["tag"].lower()) else None
            opening, content = fence, []
        elif fence is not None and fence["fence"].startswith(opening["fence"]) and not (fence["tag"] or fence["rest"]):
            source = "".join(f"{part}\n" for part in content)
            yield opening["tag"].lower(), textwrap.dedent(source) if opening["indent"] else source
            opening = None
        else:
            content.append(line)


def _program(tag: str, source: str) -> Program | None:
    language = _language(tag)
    if not _holds_code(source) or (tag and language is None):
        return None
    if language is None:
        if _LOOKS_CPP.search(source):
            language = "cpp"
        elif _LOOKS_PYTHON.search(source):
            language = "python"
        else:
            return None
    return Program(language=language, source=source)


def _language(tag: str) -> str | None:
    if _PYTHON_TAG.fullmatch(tag):
        return "python"
    return "cpp" if _CPP_TAG.fullmatch(tag) else None


def _holds_code(source: str) -> bool:
    """Whether a line is more than a Python comment; directives of C++ begin with the same sign."""
    lines = (line.strip() for line in source.split("\n"))
    return any(line and (line[0] != "#" or _BEGINS_CPP.match(line)) for line in lines)


def _bare_program(text: str) -> Program | None:
    """An answer that is code from its first line on."""
    if _BEGINS_CPP.match(text) and _LOOKS_CPP.search(text):
        return Program(language="cpp", source=text)
    begins = _BEGINS_PYTHON.match(text) is not None and _LOOKS_PYTHON.search(text) is not None
    return Program(language="python", source=text) if begins else None
