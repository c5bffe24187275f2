"""Names of files in figures and evidence: the file's own, or NAME of `NAME=FILE` where that says too little."""

import re
from collections.abc import Sequence
from pathlib import Path

_SUFFIX = re.compile(r"\.(?:jsonl|jsonl\.zst|json|parquet)$")


def distinct_names(paths: Sequence[str | Path]) -> list[str]:
    """A name for each path: its own without suffixes, with as many folders above it as tell it from the others."""
    parts = [Path(path).resolve().parts[1:] or ("/",) for path in paths]
    parts = [(*own[:-1], _SUFFIX.sub("", own[-1]) or own[-1]) for own in parts]
    names = []
    for own in parts:
        depth = 1
        while depth < len(own) and any(other != own and other[-depth:] == own[-depth:] for other in parts):
            depth += 1
        names.append("/".join(own[-depth:]))
    return names


def name_and_path(text: str) -> tuple[str | None, str]:
    """NAME and FILE; no NAME where the text is a file as it is."""
    name, sign, path = text.partition("=")
    if not sign or not name or Path(text).exists():
        return None, text
    return name, path
