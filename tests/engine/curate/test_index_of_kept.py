"""The memory of earlier months holds what they kept: a copy of a query that was removed by any step is no copy."""

import asyncio
import signal
import subprocess
import sys
from pathlib import Path
from typing import Any

import orjson
import pytest

from reasonmill.engine.curate import encoder_process
from reasonmill.engine.curate.files import curate_files
from reasonmill.engine.curate.index import Index
from reasonmill.engine.curate.settings import CurateSettings, EmbeddingSettings, SemanticSettings, TagSettings

# vectors by the words of a text, whatever their order
WORKER = """
import re, sys, zlib
import numpy as np, orjson
from reasonmill.engine.curate.embedding_frames import framed, read_frame
out = sys.stdout.buffer
def say(*parts):
    for part in parts:
        out.write(framed(part))
    out.flush()
def vector(text):
    counts = np.zeros(256, np.float32)
    for word in re.findall(r"[a-z]{3,}", text.lower()):
        counts[zlib.crc32(word.encode()) % 256] += 1
    return counts / max(1e-6, float(np.linalg.norm(counts)))
say(orjson.dumps({"dimension": 256, "identity": "counting", "device": "cpu"}))
while (request := read_frame(sys.stdin.buffer)) is not None:
    asked = orjson.loads(request)
    vectors = np.array([vector(text) for text in asked["texts"]], np.float32)
    say(orjson.dumps({"counts": [1] * len(vectors)}), vectors.tobytes())
"""
BY_TEXT = CurateSettings(embeddings=EmbeddingSettings(enabled=False))
TEXT = "A gardener plants seventeen tulips along the northern wall before breakfast and waters them until the evening"
TURNED = " ".join(reversed(TEXT.split()))
OTHER = [
    {"id": f"o{n}", "prompt": f"How many loaves does oven {n} bake in {n + 2} hours at {n * n} an hour?"}
    for n in range(9)
]


def write(path: Path, rows: list[dict[str, str]]) -> str:
    path.write_bytes(b"".join(orjson.dumps(row) + b"\n" for row in rows))
    return str(path)


def month(
    folder: Path, name: str, rows: list[dict[str, str]], settings: CurateSettings = BY_TEXT, against: str = ""
) -> tuple[list[str], dict[str, dict[str, Any]]]:
    """Ids kept, and the evidence by id of those removed."""
    queries, sets, out = write(folder / f"{name}.jsonl", rows), [], folder / name
    if against:
        sets = [write(folder / f"{name}-exam.jsonl", [{"id": "x", "prompt": against}])]
    asyncio.run(curate_files([queries], sets, str(out), settings, index=str(folder / "index")))
    kept, removed = (
        [orjson.loads(line) for line in (out / file).read_bytes().splitlines()]
        for file in ("kept.jsonl", "removed.jsonl")
    )
    return [row["id"] for row in kept], {row["id"]: row for row in removed}


SEMANTIC = CurateSettings(semantic=SemanticSettings(enabled=True), number_guard=())
SHARES = CurateSettings(embeddings=BY_TEXT.embeddings, tags=TagSettings(language=True, keep={"language:en": 0.0}))


@pytest.mark.parametrize(
    ("settings", "against", "reason"),
    [
        (BY_TEXT, TEXT, "contaminated_containment"),
        (SEMANTIC, "", "semantic_duplicate"),
        (SHARES, "", "downsampled_language"),
    ],
    ids=["evaluation", "semantic", "share"],
)
def test_a_copy_of_what_an_earlier_month_removed_is_looked_at_afresh(
    tmp_path: Path, settings: CurateSettings, against: str, reason: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(encoder_process, "_COMMAND", ("-c", WORKER))
    first = [{"id": "a", "prompt": TURNED + " again"}, {"id": "b", "prompt": TEXT}]
    kept, removed = month(tmp_path, "may", first, settings, against)
    assert removed["b"]["reason"] == reason
    kept, removed = month(tmp_path, "june", [{"id": "c", "prompt": TEXT.upper()}, *OTHER])
    assert "c" in kept
    kept, removed = month(tmp_path, "july", [{"id": "d", "prompt": TEXT}])
    assert removed["d"]["evidence"] == {"of": "c", "match": "normalised"}


def test_a_month_made_again_with_another_evaluation_set_takes_its_own_place(tmp_path: Path) -> None:
    may, june = [{"id": "a", "prompt": TEXT}, *OTHER[:4]], [{"id": "b", "prompt": TEXT + " today"}, *OTHER[4:]]
    assert "a" in month(tmp_path, "may", may)[0]
    assert month(tmp_path, "june", june)[1]["b"]["evidence"]["of"] == "a"
    kept, removed = month(tmp_path, "may", may, against=TEXT)
    assert kept == [row["id"] for row in OTHER[:4]], "it does not meet itself"
    assert removed["a"]["reason"] == "contaminated_containment"
    with Index(tmp_path / "index") as index:
        assert index.num_queries == 4 + 5
    assert "b" in month(tmp_path, "june", june)[0]
    with Index(tmp_path / "index") as index:
        assert index.num_queries == 4 + 6
    assert len(list((tmp_path / "index").glob("*.prints"))) == 2
    assert month(tmp_path, "may", [*reversed(may)])[1]["a"]["evidence"]["of"] == "b", "other bytes are another month"


_CHILD = """
import os, signal, sys
from pathlib import Path
from reasonmill.engine.cli import main
deadly, replaced = int(sys.argv[1]), []
def replace(self, target, given=Path.replace):
    is_named = not str(target).endswith(".writing")
    replaced.extend([target] * is_named)
    if is_named and len(replaced) == deadly:
        os.kill(os.getpid(), signal.SIGKILL)
    return given(self, target)
Path.replace = replace
main(sys.argv[2:])
"""


def test_a_kill_at_any_file_of_the_index_or_the_set_is_mended_by_the_same_call(tmp_path: Path) -> None:
    month(tmp_path, "may", [{"id": "a", "prompt": TEXT}])
    whole = {path.name: path.read_bytes() for path in (tmp_path / "index").iterdir()}
    june = [{"id": "b", "prompt": TEXT + " today"}, *OTHER]
    command = [sys.executable, "-P", "-c", _CHILD]
    options = ["--output-dir", str(tmp_path / "june"), "--index", str(tmp_path / "index"), "embeddings.enabled=false"]
    options = ["curate", "--queries", write(tmp_path / "june.jsonl", june), *options]
    for deadly in (3, 4, 6):  # manifest, kept.jsonl; then, the month being known, counts.json
        ended = subprocess.run([*command, str(deadly), *options], check=False, capture_output=True, timeout=120)
        assert ended.returncode == -signal.SIGKILL
        found = {path.name: path.read_bytes() for path in (tmp_path / "index").iterdir()}
        assert (found["manifest.json"] == whole["manifest.json"]) == (deadly <= 3)
        assert not (tmp_path / "june" / "counts.json").exists()
    kept, removed = month(tmp_path, "june", june)
    assert kept == [row["id"] for row in OTHER]
    assert removed["b"]["evidence"]["of"] == "a"
    clean = tmp_path / "clean"
    clean.mkdir()
    month(clean, "may", [{"id": "a", "prompt": TEXT}])
    month(clean, "june", june)
    for path in (clean / "index").iterdir():
        assert (tmp_path / "index" / path.name).read_bytes() == path.read_bytes()
