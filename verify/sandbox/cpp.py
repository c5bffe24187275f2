"""How C++ programs become binaries inside a slot."""

import shutil
from typing import Any

from reasonmill.verify.settings import SandboxSettings

STANDARDS = ("gnu++17", "gnu++20")  # what contests use first; a program that is none of it may use what is newer
_OPTIONS = ("-O2", "-pipe", "-w", "program.cpp", "-o", "program")
_COMPILER_PROCESSES = 16
_BINARY_BYTES = 48 * 2**20
_WALL_PER_CPU = 4.0


def compiler() -> str | None:
    """The compiler's path, the same inside the sandbox as outside; None where there is none."""
    return shutil.which("g++", path="/usr/local/bin:/usr/bin:/bin")


def compile_job(source: str, settings: SandboxSettings, standard: str = STANDARDS[0]) -> dict[str, Any]:
    """Job that leaves the binary in the slot, for jobs of kind "execute" to run."""
    return {
        "kind": "compile",
        "source": source,
        "command": [compiler(), f"-std={standard}", *_OPTIONS],
        "limits": {
            "cpu_s": settings.compile_cpu_limit_s,
            "wall_s": settings.compile_cpu_limit_s * _WALL_PER_CPU,
            "memory_bytes": settings.compile_memory_mib * 2**20,
            "file_bytes": min(_BINARY_BYTES, settings.scratch_mib * 2**20),
            "processes": _COMPILER_PROCESSES,
        },
    }
