import dataclasses
import errno
import os
import subprocess
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pyarrow.parquet as pq
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from reasonmill.engine.records import Message, Sample
from reasonmill.engine.store import shards
from reasonmill.engine.store.shards import (
    ROW_GROUP_ROWS,
    SHARD_SCHEMA,
    read_samples,
    read_shard_rows,
    row_to_sample,
    sample_to_row,
    shard_paths,
    write_shard,
    write_shards,
)
from reasonmill.verify.request import VerifyRequest

MakeSample = Callable[..., Sample]


def test_samples_come_back_equal_and_in_order(tmp_path: Path, make_sample: MakeSample) -> None:
    samples = [make_sample(n) for n in range(700)]  # more than one read batch
    samples[3] = make_sample(
        3,
        messages=(
            Message(role="system", content="Be brief."),
            Message(role="user", content="Größe? 大きさ 🙂"),
            Message(role="assistant", content="Which?"),
            Message(role="user", content="Yours.\n\nNow."),
        ),
        ground_truth=None,
        test_case={"call_type": "std", "inputs": ["1\n"], "outputs": ["2\n"]},
        instruction_constrain={"instruction_id_list": ["x"], "kwargs": [{"n": 2}, None]},
        quality={"perplexity": 2.25, "longest_run": 3.0},
        think="",
    )
    path = tmp_path / "dataset" / "alpha" / "math-00000.parquet"
    assert write_shard(path, samples) == 700
    assert list(read_samples([path])) == samples


def test_the_same_samples_make_the_same_bytes(tmp_path: Path, make_sample: MakeSample) -> None:
    samples = [make_sample(n) for n in range(40)]
    slower = [
        dataclasses.replace(
            s,
            attempt=dataclasses.replace(s.attempt, duration_s=9.5),
            verdict=dataclasses.replace(s.verdict, duration_s=0.25),
            quality=dict(reversed(s.quality.items())),
        )
        for s in samples
    ]
    first, second = tmp_path / "a.parquet", tmp_path / "b.parquet"
    write_shard(first, samples)
    write_shard(second, slower)
    assert first.read_bytes() == second.read_bytes()


def test_no_samples_make_a_readable_empty_shard(tmp_path: Path) -> None:
    assert write_shard(tmp_path / "none.parquet", []) == 0
    assert list(read_samples([tmp_path / "none.parquet"])) == []
    assert pq.read_schema(tmp_path / "none.parquet").names == SHARD_SCHEMA.names


def test_large_shards_are_cut_into_row_groups(tmp_path: Path, make_sample: MakeSample) -> None:
    path = tmp_path / "large.parquet"
    write_shard(path, [make_sample(n) for n in range(ROW_GROUP_ROWS + 1)])
    metadata = pq.ParquetFile(path).metadata
    assert [metadata.row_group(i).num_rows for i in range(metadata.num_row_groups)] == [ROW_GROUP_ROWS, 1]


def test_long_answers_end_a_row_group_sooner(tmp_path: Path, make_sample: MakeSample, monkeypatch: Any) -> None:
    monkeypatch.setattr(shards, "ROW_GROUP_CHARS", 1000)
    path = tmp_path / "long.parquet"
    write_shard(path, [make_sample(n, think="x" * (900 if n == 2 else 300)) for n in range(8)])
    metadata = pq.ParquetFile(path).metadata
    assert [metadata.row_group(i).num_rows for i in range(metadata.num_row_groups)] == [3, 3, 2]


def test_one_pass_writes_every_group_as_if_it_came_alone(tmp_path: Path, make_sample: MakeSample) -> None:
    samples = [make_sample(n, category=("math", "code", "science")[n % 3]) for n in range(50)]
    written = write_shards(lambda teacher, category: tmp_path / teacher / f"{category}.parquet", iter(samples))
    assert {group: rows for group, (_, rows) in written.items()} == {
        ("alpha", "code"): 17,
        ("alpha", "math"): 17,
        ("alpha", "science"): 16,
    }
    for (_, category), (path, _) in written.items():
        alone = tmp_path / "alone.parquet"
        write_shard(alone, [sample for sample in samples if sample.query.category == category])
        assert path.read_bytes() == alone.read_bytes()


def test_a_pass_that_fails_leaves_no_part_of_a_shard(tmp_path: Path, make_sample: MakeSample) -> None:
    def samples() -> Iterator[Sample]:
        yield make_sample(1, category="math")
        yield make_sample(2, category="code")
        raise OSError(errno.EIO, "cannot be read")

    with pytest.raises(OSError, match="cannot be read"):
        write_shards(lambda teacher, category: tmp_path / f"{category}.parquet", samples())
    assert list(tmp_path.iterdir()) == []


def test_a_row_is_what_the_verify_command_reads(make_sample: MakeSample) -> None:
    sample = make_sample(4, test_case={"call_type": "assert", "fn_name": "f", "assert_case": ["assert f() == 1"]})
    row = sample_to_row(sample)
    keys = ("id", "category", "prompt", "response", "ground_truth", "test_case", "instruction_constrain")
    request = VerifyRequest(**{key: row[key] for key in keys})
    assert request.response == sample.attempt.text
    assert request.test_case == '{"assert_case":["assert f() == 1"],"call_type":"assert","fn_name":"f"}'


@settings(max_examples=60, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(text=st.text(st.characters(blacklist_categories=("Cs",)), max_size=40), score=st.floats(0, 1))
def test_a_row_and_its_sample_hold_the_same(make_sample: MakeSample, text: str, score: float) -> None:
    sample = make_sample(1, think=text, answer=text, source=text, ground_truth=text)
    sample = dataclasses.replace(sample, verdict=dataclasses.replace(sample.verdict, score=score))
    assert row_to_sample(sample_to_row(sample)) == sample


def test_lone_surrogates_become_replacement_characters(tmp_path: Path, make_sample: MakeSample) -> None:
    path = tmp_path / "odd.parquet"
    write_shard(path, [make_sample(1, think="a\ud800b")])
    [sample] = read_samples([path])
    assert sample.think == "a\ufffdb"


def test_hugging_face_datasets_reads_shards(tmp_path: Path, make_sample: MakeSample) -> None:
    write_shard(tmp_path / "a.parquet", [make_sample(n) for n in range(3)])
    write_shard(tmp_path / "b.parquet", [make_sample(3, ground_truth=None, test_case={"call_type": "std"})])
    # in a process of its own: the library is heavy and warns on import
    program = (
        "import sys, datasets\n"
        "rows = datasets.load_dataset('parquet', data_files=sys.argv[2:], split='train', cache_dir=sys.argv[1])\n"
        "assert rows.num_rows == 4, rows\n"
        "assert rows[0]['messages'][0]['content'] == 'What is 0 + 0?', rows[0]\n"
    )
    environment = os.environ | {"PYTHONSAFEPATH": "1", "HF_HUB_OFFLINE": "1", "HF_DATASETS_OFFLINE": "1"}
    import sys

    result = subprocess.run(
        [sys.executable, "-c", program, tmp_path / "cache", tmp_path / "a.parquet", tmp_path / "b.parquet"],
        env=environment | {"HF_HOME": str(tmp_path / "home")},
        capture_output=True,
        text=True,
        check=False,
    )
    assert result.returncode == 0, result.stderr


def test_shards_are_listed_by_teacher_category_and_span(tmp_path: Path) -> None:
    for name in ("beta/math-00000", "alpha/math-00001", "alpha/code-00000", "alpha/math-00000"):
        path = tmp_path / "dataset" / f"{name}.parquet"
        path.parent.mkdir(parents=True, exist_ok=True)
        path.touch()
    (tmp_path / "dataset" / "alpha" / "math-00002.parquet.writing").touch()
    names = [f"{p.parent.name}/{p.stem}" for p in shard_paths(tmp_path)]
    assert names == ["alpha/code-00000", "alpha/math-00000", "alpha/math-00001", "beta/math-00000"]
    chosen = shard_paths(tmp_path, teachers=["alpha"], categories=["math"])
    assert [p.stem for p in chosen] == ["math-00000", "math-00001"]


def test_a_file_that_is_no_shard_is_named(tmp_path: Path) -> None:
    path = tmp_path / "text.parquet"
    path.write_text("no parquet")
    with pytest.raises(ValueError, match=r"text\.parquet"):
        list(read_samples([path]))
    import pyarrow as pa

    pq.write_table(pa.table({"id": ["1"]}), tmp_path / "other.parquet")
    with pytest.raises(ValueError, match=r"other.parquet.*no column 'messages'"):
        list(read_shard_rows([tmp_path / "other.parquet"]))


@pytest.fixture
def full_disk(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Path]:
    """A folder in which 64 KiB are left: a tmpfs where we may mount one, else files that fail at that size."""
    folder = tmp_path / "small"
    folder.mkdir()
    mounted = subprocess.run(
        ["mount", "-t", "tmpfs", "-o", "size=64k", "tmpfs", folder], capture_output=True, check=False
    )
    if mounted.returncode == 0:
        yield folder
        subprocess.run(["umount", folder], check=True)
    else:
        opened = Path.open

        def open_small(path: Path, *args: Any, **kwargs: Any) -> Any:
            stream = opened(path, *args, **kwargs)
            return FullFile(stream) if folder in path.parents else stream

        monkeypatch.setattr(Path, "open", open_small)
        yield folder


class FullFile:
    """A file of which 64 KiB can be written."""

    def __init__(self, stream: Any) -> None:
        self._stream = stream

    def write(self, content: Any) -> int:
        if self._stream.tell() + len(content) > 2**16:
            raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))
        return int(self._stream.write(content))

    def __enter__(self) -> "FullFile":
        return self

    def __exit__(self, *_: object) -> None:
        self._stream.close()

    def __getattr__(self, name: str) -> Any:
        return getattr(self._stream, name)


def test_a_full_disk_names_the_path_and_leaves_nothing(full_disk: Path, make_sample: MakeSample) -> None:
    noise = os.urandom(2**17).hex()
    path = full_disk / "math-00000.parquet"
    with pytest.raises(OSError, match="No space left on device") as caught:
        write_shard(path, [make_sample(1, think=noise)])
    assert caught.value.errno == errno.ENOSPC
    assert caught.value.filename == str(path)
    assert list(full_disk.iterdir()) == []


def test_a_full_disk_leaves_the_shard_that_was_there(full_disk: Path, make_sample: MakeSample) -> None:
    path = full_disk / "math-00000.parquet"
    write_shard(path, [make_sample(1)])
    before = path.read_bytes()
    with pytest.raises(OSError, match="No space left on device"):
        write_shard(path, [make_sample(1, think=os.urandom(2**17).hex())])
    assert path.read_bytes() == before
    assert [p.name for p in full_disk.iterdir()] == ["math-00000.parquet"]


@pytest.mark.parametrize("failing", ["write", "fsync", "replace"])
def test_whatever_part_of_a_write_fails_no_part_of_a_file_stays(
    failing: str, tmp_path: Path, make_sample: MakeSample, monkeypatch: pytest.MonkeyPatch
) -> None:
    def fail(*_: object) -> None:
        raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))

    if failing == "write":
        monkeypatch.setattr(FullFile, "write", fail)
        opened = Path.open
        monkeypatch.setattr(Path, "open", lambda *args, **kwargs: FullFile(opened(*args, **kwargs)))
    elif failing == "fsync":
        monkeypatch.setattr(os, "fsync", fail)
    else:
        monkeypatch.setattr(Path, "replace", fail)
    path = tmp_path / "math-00000.parquet"
    with pytest.raises(OSError, match="No space left") as caught:
        write_shard(path, [make_sample(1)])
    assert caught.value.filename == str(path)
    assert list(tmp_path.iterdir()) == []
