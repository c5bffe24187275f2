"""Parts of a response: reasoning, answer, last program. Only a finished answer part is looked at,
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
    start = end = -1
    for tag in tags:
        at = text.find(tag)
        if at >= 0 and (start < 0 or at < start):
            start, end = at, at + len(tag)
    return start, end


def _last(text: str, tags: tuple[str, ...]) -> tuple[int, int]:
    """Start and end of the last tag, or -1, -1."""
    start = end = -1
    for tag in tags:
        at = text.rfind(tag)
        if at > start:
            start, end = at, at + len(tag)
    return start, end


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
