"""A teacher that answers from a script: the same request always gets the same answer, whoever else asks."""

import asyncio
import re
import time
from collections.abc import Callable
from pathlib import Path

from reasonmill.engine.teachers.arithmetic_script import PREFIX, ArithmeticScript
from reasonmill.engine.teachers.protocol import Generation, GenerationRequest
from reasonmill.engine.teachers.script import Script, ScriptFile
from reasonmill.engine.teachers.settings import TeacherSettings

_PIECE = re.compile(r"\w+|[^\w\s]")  # what counts as a token here


class ScriptedTeacher:
    """Answers any number of requests at once."""

    def __init__(self, settings: TeacherSettings, script: Script) -> None:
        self._settings = settings
        self._script = script

    @property
    def name(self) -> str:
        """Name of the teacher in records and file names."""
        return self._settings.name

    @property
    def max_num_seqs(self) -> int:
        """Requests that it can usefully hold open at once."""
        return self._settings.max_num_seqs

    def watch(self, grown: Callable[[], None]) -> None:
        """Its room never changes."""

    async def generate(self, request: GenerationRequest) -> Generation:
        """Answer once. Raises RequestRefused where the script has no answer."""
        began = time.monotonic()
        response = self._script.response(request)
        await asyncio.sleep(response.delay_s)
        return Generation(
            text=response.text,
            finish_reason=response.finish_reason,
            prompt_tokens=sum(len(_PIECE.findall(turn.content)) for turn in request.messages),
            completion_tokens=len(_PIECE.findall(response.text)),
            duration_s=time.monotonic() - began,
        )


def open_scripted(settings: TeacherSettings) -> ScriptedTeacher:
    """The scripted teacher of these settings. Raises ValueError for a script that is missing or malformed."""
    assert settings.script is not None, "a scripted teacher without a script passed its settings' check"
    if settings.script.startswith(PREFIX):
        return ScriptedTeacher(settings, ArithmeticScript(settings.script))
    path = Path(settings.script)
    if not path.is_file():
        raise ValueError(f"script: the file {settings.script!r} does not exist")
    return ScriptedTeacher(settings, ScriptFile(path))
