"""A curate that is killed leaves no half of a file, and the next one writes what an undisturbed one writes."""

import random
import signal
import subprocess
import sys
import time
from pathlib import Path

import orjson


def command(tmp_path: Path, name: str) -> list[str]:
    run = "from reasonmill.engine.cli import main; raise SystemExit(main())"
    files = ["--queries", str(tmp_path / "q.jsonl"), "--output-dir", str(tmp_path / name)]
    return [sys.executable, "-P", "-c", run, "curate", *files, "embeddings.enabled=false"]


def write_queries(path: Path) -> None:
    rng = random.Random(1)
    words = [f"word{chr(97 + n % 26)}{chr(97 + n // 26)}" for n in range(400)]
    texts = [" ".join(rng.choices(words, k=60)) for _ in range(4000)]
    texts += [text + " please" for text in texts[:500]] + texts[500:700]
    path.write_bytes(b"".join(orjson.dumps({"prompt": text}) + b"\n" for text in texts))


def test_a_killed_pass_is_made_again_with_the_same_bytes(tmp_path: Path) -> None:
    write_queries(tmp_path / "q.jsonl")
    began = time.monotonic()
    subprocess.run(command(tmp_path, "whole"), check=True, capture_output=True, timeout=120)
    took = time.monotonic() - began
    for share in (0.5, 0.8, 0.95):
        with subprocess.Popen(command(tmp_path, "killed"), stdout=subprocess.PIPE, stderr=subprocess.PIPE) as process:
            time.sleep(share * took)
            process.send_signal(signal.SIGKILL)
    for name in ("kept.jsonl", "removed.jsonl", "variants.jsonl", "counts.json"):
        written = tmp_path / "killed" / name
        assert not written.exists() or written.read_bytes() == (tmp_path / "whole" / name).read_bytes()
    subprocess.run(command(tmp_path, "killed"), check=True, capture_output=True, timeout=120)
    files = {file.name: file.read_bytes() for file in (tmp_path / "whole").iterdir()}
    assert {file.name: file.read_bytes() for file in (tmp_path / "killed").iterdir()} == files
    assert orjson.loads(files["counts.json"])["removed"] == 700
