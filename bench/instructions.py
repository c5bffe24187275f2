"""Instructions of the native pass for each query, counted by callgrind: the figure that no other load disturbs.

Built and run apart from Python (bench/native/native_pass.cpp). Valgrind has no AVX-512: these are the AVX2 loops.
"""

import re
import shutil
import struct
import subprocess
import tempfile
from collections.abc import Iterator, Sequence
from pathlib import Path

from reasonmill.bench.figure import Figure
from reasonmill.kernels import characters

_CSRC = Path(__file__).resolve().parents[1] / "kernels" / "csrc"
_MAIN = Path(__file__).resolve().parent / "native" / "native_pass.cpp"
_PARTS = ("nothing", "exact", "bands", "decontamination", "verdicts")  # each does what the one before does, and more
_COLLECTED = re.compile(r"Collected : (\d+)")


def instructions(texts: Sequence[str], items: Sequence[str]) -> Iterator[Figure]:
    """Instructions for each text of every part and of all together; a figure that says what is missing, if anything."""
    for tool in ("g++", "valgrind"):
        if shutil.which(tool) is None or not _CSRC.is_dir():
            unit = f"{tool} or the sources missing"
            yield Figure(name="instructions_not_counted", value=1, unit=unit, better="lower")
            return
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        (folder / "table").write_bytes(characters.table().astype("<u4").tobytes())
        for file, content in (("texts", texts), ("items", items)):
            encoded = [text.encode("utf-8", "surrogatepass") for text in content]
            (folder / file).write_bytes(b"".join(struct.pack("<I", len(text)) + text for text in encoded))
        _build(folder / "native_pass")
        counts = [_count(folder, part) for part in _PARTS]
    for part, before, after in zip(_PARTS[1:], counts, counts[1:], strict=False):
        yield _figure(f"instructions_{part}", (after - before) / len(texts))
    yield _figure("instructions_all", (counts[-1] - counts[0]) / len(texts))


def _figure(name: str, value: float) -> Figure:
    return Figure(name=name, value=value, unit="instructions/query", better="lower", gated=True, tolerance=0.05)


def _build(target: Path) -> None:
    sources = [*map(str, sorted((_CSRC / "core").glob("*.cpp"))), str(_MAIN)]
    command = ["g++", "-std=c++20", "-O3", "-I", str(_CSRC), *sources, "-pthread", "-o", str(target)]
    subprocess.run(command, check=True, capture_output=True)


def _count(folder: Path, part: str) -> int:
    files = [str(folder / name) for name in ("table", "texts", "items")]
    command = ["valgrind", "--tool=callgrind", f"--callgrind-out-file={folder / 'out'}", str(folder / "native_pass")]
    done = subprocess.run([*command, *files, part], check=True, capture_output=True, text=True)
    found = _COLLECTED.search(done.stderr)
    assert found is not None, f"callgrind says how many it collected: {done.stderr[-500:]}"
    return int(found[1])
