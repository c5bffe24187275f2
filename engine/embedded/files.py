"""Generated files, written aside and renamed: a file that is there is whole."""

from collections.abc import Iterable
from pathlib import Path
from typing import Any

import orjson


def write_lines(path: Path, rows: Iterable[dict[str, Any]]) -> Path:
    """Write JSON lines and return the path; its folder is made."""
    return _write(path, b"".join(orjson.dumps(row, option=orjson.OPT_APPEND_NEWLINE) for row in rows))


def write_json(path: Path, value: Any) -> Path:
    """Write one indented JSON value with sorted keys and return the path; its folder is made."""
    return _write(
        path, orjson.dumps(value, option=orjson.OPT_INDENT_2 | orjson.OPT_SORT_KEYS | orjson.OPT_APPEND_NEWLINE)
    )


def _write(path: Path, content: bytes) -> Path:
    path.parent.mkdir(parents=True, exist_ok=True)
    aside = path.with_name(path.name + ".partial")
    aside.write_bytes(content)
    return aside.replace(path)
