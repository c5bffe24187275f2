"""Threshold profiles: found by planted copies, refused where they do not fit."""

import asyncio
from pathlib import Path

import numpy as np
import orjson
import pytest

from reasonmill.engine.curate import encoder_process
from reasonmill.engine.curate.calibrate import calibrate, lowest_threshold, refusal
from reasonmill.engine.curate.profile import Profile, read_profile, threshold_for
from reasonmill.engine.curate.settings import CurateSettings, EmbeddingSettings

PROFILE = Profile(
    identity="model-float32-cpu", threshold=0.87, recall={"verbatim": 1.0}, clean_flagged=0.0, max_error=0.001,
    copies=60, clean=100,
)  # fmt: skip

# letters in pairs as they stand in a text, rounded to the steps of the type of numbers
PAIRS_WORKER = """
import sys
import numpy as np, orjson
from reasonmill.engine.curate.embedding_frames import framed, read_frame
step = {"float32": 0.0, "bfloat16": 1e-4, "int8": 0.035}[sys.argv[2]]
def vector(text):
    counts = np.zeros(1024, np.float32)
    letters = [ord(c) % 32 for c in text.lower() if c.isalpha()]
    for one, two in zip(letters, letters[1:]):
        counts[32 * one + two] += 1
    counts /= max(1e-6, float(np.linalg.norm(counts)))
    counts = np.round(counts / step) * step if step else counts
    return counts / max(1e-6, float(np.linalg.norm(counts)))
out = sys.stdout.buffer
out.write(framed(orjson.dumps({"dimension": 1024, "identity": "pairs-" + sys.argv[2], "device": "cpu"})))
out.flush()
while (request := read_frame(sys.stdin.buffer)) is not None:
    asked = orjson.loads(request)
    out.write(framed(orjson.dumps({"counts": [1] * len(asked["texts"])})))
    out.write(framed(np.array([vector(text) for text in asked["texts"]], np.float32).tobytes()))
    out.flush()
"""


def test_the_threshold_is_the_lowest_that_flags_few_enough() -> None:
    cosines = np.linspace(0.0, 0.8, 1001)
    assert lowest_threshold(cosines, 0.0) == 0.8
    assert lowest_threshold(cosines, 0.5) == 0.4
    assert lowest_threshold(np.ones(5), 0.1) == 0.995
    assert lowest_threshold(np.array([0.871]), 0.0) == 0.875


def test_a_profile_replaces_the_threshold_of_its_own_encoder_only(tmp_path: Path) -> None:
    path = str(tmp_path / "profile.json")
    PROFILE.write(path)
    settings = EmbeddingSettings(profile=path, threshold=0.5)
    assert read_profile(path) == PROFILE
    assert threshold_for(settings, PROFILE.identity) == 0.87
    assert threshold_for(EmbeddingSettings(threshold=0.5), "any") == 0.5
    with pytest.raises(ValueError, match=r"is of the encoder 'model-float32-cpu', and this is 'other'"):
        threshold_for(settings, "other")


def test_a_type_of_numbers_that_moves_cosines_too_far_is_refused(tmp_path: Path) -> None:
    path = str(tmp_path / "profile.json")
    coarse = Profile(**{**{name: getattr(PROFILE, name) for name in PROFILE.__slots__}, "max_error": 0.03})
    coarse.write(path)
    settings = EmbeddingSettings(profile=path, dtype="int8")
    with pytest.raises(ValueError, match=r"cosines in int8 are wrong by up to 0\.0300 near the threshold"):
        threshold_for(settings, PROFILE.identity)
    assert "use float32 or bfloat16" in str(refusal(coarse, settings))
    assert refusal(PROFILE, settings) is None
    with pytest.raises(ValueError, match=r"embeddings\.profile is missing: int8"):
        CurateSettings(embeddings=EmbeddingSettings(dtype="int8"))


@pytest.mark.parametrize("content", [b"", b"[]", b'{"threshold": 0.9}', b"{"])
def test_a_file_that_is_no_profile_is_named(tmp_path: Path, content: bytes) -> None:
    path = tmp_path / "profile.json"
    path.write_bytes(content)
    with pytest.raises(ValueError, match=r"embeddings\.profile: .*profile\.json' is no profile"):
        read_profile(str(path))
    with pytest.raises(ValueError, match="does not exist"):
        read_profile(str(tmp_path / "none.json"))


def questions(folder: Path, name: str, count: int) -> str:
    rng = np.random.default_rng(len(name))
    words = ["".join(rng.choice(list("abcdefghilmnoprstuv"), size=rng.integers(3, 9))) for _ in range(400)]
    rows = [{"prompt": " ".join(rng.choice(words, size=40))} for _ in range(count)]
    path = folder / f"{name}.jsonl"
    path.write_bytes(b"".join(orjson.dumps(row, option=orjson.OPT_APPEND_NEWLINE) for row in rows))
    return str(path)


def test_calibration_plants_copies_and_measures_the_type_of_numbers(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(encoder_process, "_COMMAND", ("-c", PAIRS_WORKER))
    queries, against = questions(tmp_path, "queries", 150), questions(tmp_path, "evaluation", 20)

    def found(dtype: str) -> Profile:
        return asyncio.run(calibrate([queries], [against], EmbeddingSettings(dtype=dtype)))

    exact = found("float32")
    assert exact.identity == "pairs-float32"
    assert exact.recall["verbatim"] == exact.recall["edits_5_percent"] == 1.0
    assert exact.clean_flagged <= 0.001
    assert (exact.max_error, exact.copies, exact.clean) == (0.0, 120, 150)
    assert 0.0 < found("bfloat16").max_error <= 0.005
    assert found("int8").max_error > 0.005


def test_calibration_needs_enough_questions(tmp_path: Path) -> None:
    queries, against = questions(tmp_path, "queries", 99), questions(tmp_path, "evaluation", 20)
    with pytest.raises(ValueError, match="there are 20 and 99"):
        asyncio.run(calibrate([queries], [against], EmbeddingSettings()))
