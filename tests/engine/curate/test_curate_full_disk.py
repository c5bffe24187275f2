"""A disk that fills up while queries are set aside: the folder is named, and nothing is left half-made."""

import subprocess
import sys
from pathlib import Path

import orjson
import pytest

_LIMITED = """
import resource, sys
from reasonmill.engine.cli import main
resource.setrlimit(resource.RLIMIT_FSIZE, (100_000, resource.RLIM_INFINITY))
raise SystemExit(main(sys.argv[1:]))
"""


def _readable(number: int) -> dict[str, str]:
    return {"prompt": f"How many lanterns are left after day {number} if {number} of them are sold every day of it?"}


def _unreadable(number: int) -> dict[str, str]:
    return {f"no prompt {number}": "A row that is set aside with what is wrong about it and where in the file it was."}


@pytest.mark.parametrize("row", [_readable, _unreadable])
def test_what_cannot_be_set_aside_is_said_with_its_place_and_leaves_nothing(tmp_path: Path, row: object) -> None:
    assert callable(row)
    queries, output = tmp_path / "q.jsonl", tmp_path / "out"
    queries.write_bytes(b"".join(orjson.dumps(row(number)) + b"\n" for number in range(6000)))
    files = ["curate", "--queries", str(queries), "--output-dir", str(output), "--set", "embeddings.enabled=false"]
    ended = subprocess.run(
        [sys.executable, "-P", "-c", _LIMITED, *files], check=False, capture_output=True, text=True, timeout=120
    )
    assert ended.returncode != 0
    (line,) = [line for line in ended.stderr.splitlines() if line.startswith("error: ")]
    assert str(output) in line
    assert list(output.iterdir()) == []
