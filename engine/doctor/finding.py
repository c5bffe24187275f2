"""One line of what was found, and how a probe runs a program without ever waiting long for it."""

import subprocess
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Literal

State = Literal["ok", "degraded", "missing"]

PROBE_TIMEOUT_S = 2.0


@dataclass(frozen=True, kw_only=True, slots=True)
class Finding:
    """What was looked for, how it is, and what to do. `needed`: without it nothing works, not only less."""

    area: str
    name: str
    state: State
    found: str
    matters: str = ""  # what uses it, or what goes on without it
    install: str = ""  # command that installs or mends it
    needed: bool = False


def output_of(command: Sequence[str]) -> tuple[int | None, str]:
    """Exit status and output of a probe; the status is None where it could not be started or took too long."""
    try:
        result = subprocess.run(
            command,
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            timeout=PROBE_TIMEOUT_S,
            text=True,
            errors="replace",
            check=False,
        )
    except subprocess.TimeoutExpired:
        return None, f"no answer within {PROBE_TIMEOUT_S:g} s"
    except OSError as error:
        return None, error.strerror or str(error)
    return result.returncode, result.stdout.strip()


def first_line(text: str) -> str:
    """The first line of an output."""
    return text.partition("\n")[0].strip()
