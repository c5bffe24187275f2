"""Dataset shards: parquet files of samples. The same samples make the same bytes, and a shard is there whole or not
at all. Wall times are left out, since they would make two equal runs differ; everything else of a Sample comes back.
"""

import re
from collections.abc import Callable, Iterable, Iterator, Sequence
from contextlib import ExitStack, contextmanager
from pathlib import Path
from typing import Any

import orjson
import pyarrow as pa
import pyarrow.parquet as pq

from reasonmill.engine.records import Attempt, Message, Query, Sample
from reasonmill.engine.store.aside import whole_file
from reasonmill.verify.verdict import scored

# One row is one accepted response. `id` is the query's: rows of several teachers join on it. `messages` are the
# question's turns, `prompt` the last of them; test_case, instruction_constrain and quality are JSON text.
SHARD_SCHEMA = pa.schema(
    [
        ("id", pa.string()),
        ("messages", pa.list_(pa.struct([("role", pa.string()), ("content", pa.string())]))),
        ("prompt", pa.string()),
        ("response", pa.string()),
        ("think_content", pa.string()),
        ("answer_content", pa.string()),
        ("category", pa.string()),
        ("source", pa.string()),
        ("ground_truth", pa.string()),
        ("test_case", pa.string()),
        ("instruction_constrain", pa.string()),
        ("verify_score", pa.float64()),
        ("verifier", pa.string()),
        ("model_name", pa.string()),
        ("attempt", pa.int32()),
        ("seed", pa.int64()),
        ("prompt_tokens", pa.int32()),
        ("completion_tokens", pa.int32()),
        ("finish_reason", pa.string()),
        ("quality", pa.string()),
    ]
)

ROW_GROUP_ROWS = 1024
ROW_GROUP_CHARS = 8 * 2**20  # of responses, after which a group ends too: writer and reader hold some 50 MB of it
_READ_ROWS = 256
_SURROGATES = re.compile("[\ud800-\udfff]")
# Pinned: pyarrow's defaults may change between releases, and with them the bytes.
_WRITER_OPTIONS: dict[str, Any] = {
    "version": "2.6",
    "data_page_version": "1.0",
    "compression": "zstd",
    "compression_level": 3,
    "use_dictionary": ["category", "source", "verifier", "model_name", "finish_reason"],
    "write_statistics": ["category", "model_name", "verify_score", "attempt", "prompt_tokens", "completion_tokens"],
    "write_page_checksum": True,
    "store_schema": True,
}


class ShardWriter:
    """Takes samples and writes a row group at a time, the only one that memory holds. Where a group ends depends on the
    samples alone.
    """

    def __init__(self, writer: pq.ParquetWriter) -> None:
        self._writer = writer
        self._rows: list[dict[str, Any]] = []
        self._num_chars = 0
        self.num_rows = 0

    def write(self, sample: Sample) -> None:
        """Append a sample."""
        self._rows.append(sample_to_row(sample))
        self._num_chars += len(sample.attempt.text)
        self.num_rows += 1
        if len(self._rows) == ROW_GROUP_ROWS or self._num_chars >= ROW_GROUP_CHARS:
            self.end_group()

    def end_group(self) -> None:
        """Write what was taken since the last group."""
        if self._rows:
            self._writer.write_table(pa.Table.from_pylist(self._rows, schema=SHARD_SCHEMA))
        self._rows = []
        self._num_chars = 0


@contextmanager
def open_shard(path: Path) -> Iterator[ShardWriter]:
    """A shard that is there when the block ends without an exception. Raises OSError that names `path`, and leaves
    nothing then.
    """
    with whole_file(path) as stream, open_writer(stream) as writer:
        shard = ShardWriter(writer)
        yield shard
        shard.end_group()


def write_shard(path: Path, samples: Iterable[Sample]) -> int:
    """Write samples as one shard; returns their number. Raises OSError as above."""
    with open_shard(path) as shard:
        for sample in samples:
            shard.write(sample)
        return shard.num_rows


def write_shards(
    place: Callable[[str, str], Path], samples: Iterable[Sample]
) -> dict[tuple[str, str], tuple[Path, int]]:
    """Write samples as one shard for each (teacher, category) among them, at `place` of the two, in one pass; memory
    holds a row group of each. Returns path and number of rows of each. Raises OSError that names the path.
    """
    opened: dict[tuple[str, str], tuple[Path, ShardWriter]] = {}
    with ExitStack() as stack:
        for sample in samples:
            group = sample.attempt.teacher, sample.query.category
            if group not in opened:
                path = place(*group)
                opened[group] = path, stack.enter_context(open_shard(path))
            opened[group][1].write(sample)
    return {group: (path, shard.num_rows) for group, (path, shard) in sorted(opened.items())}


def load_libraries() -> None:
    """Load what writing needs: pyarrow looks for pandas when it first meets Python's own values. 0.3 s, once."""
    pa.array([""], pa.string())


def open_writer(stream: Any) -> pq.ParquetWriter:
    """Writer with the pinned options of every shard."""
    return pq.ParquetWriter(stream, SHARD_SCHEMA, **_WRITER_OPTIONS)


def read_samples(paths: Iterable[str | Path]) -> Iterator[Sample]:
    """Samples of the shards in order, in bounded memory; durations come back as 0.

    Raises ValueError naming a file that is no shard.
    """
    for row in read_shard_rows(paths):
        yield row_to_sample(row)


def read_shard_rows(paths: Iterable[str | Path], columns: Sequence[str] | None = None) -> Iterator[dict[str, Any]]:
    """Rows of the shards as dicts of `columns` (all by default), in bounded memory. Raises ValueError as above."""
    for path in paths:
        for batch in read_batches(path, columns):
            yield from batch.to_pylist()


def read_batches(path: str | Path, columns: Sequence[str] | None = None) -> Iterator[pa.RecordBatch]:
    """Record batches of one shard. Raises ValueError for a file that is no shard, FileNotFoundError for none."""
    try:
        shard = pq.ParquetFile(path)
    except FileNotFoundError:
        raise
    except (pa.ArrowException, OSError) as error:
        raise ValueError(f"{str(path)!r} is not a parquet file: {error}") from None
    with shard:
        absent = [name for name in columns or SHARD_SCHEMA.names if name not in shard.schema_arrow.names]
        if absent:
            raise ValueError(f"{str(path)!r} is not a dataset shard: it has no column {absent[0]!r}")
        batches = shard.iter_batches(batch_size=_READ_ROWS, columns=None if columns is None else list(columns))
        while True:
            try:
                batch = next(batches)
            except StopIteration:
                return
            except (pa.ArrowException, OSError) as error:
                raise ValueError(f"{str(path)!r} is damaged: {error}") from None
            yield batch


def shard_paths(run_dir: Path, *, teachers: Sequence[str] = (), categories: Sequence[str] = ()) -> list[Path]:
    """Shards of a run by teacher, category and span; empty selections mean all."""
    return [
        path
        for path in sorted((run_dir / "dataset").glob("*/*.parquet"))
        if (not teachers or path.parent.name in teachers)
        and (not categories or path.stem.rpartition("-")[0] in categories)
    ]


def sample_to_row(sample: Sample) -> dict[str, Any]:
    """The sample as one row of SHARD_SCHEMA. Lone surrogates, which no UTF-8 file can hold, become U+FFFD."""
    query, attempt, verdict = sample.query, sample.attempt, sample.verdict
    return {
        "id": query.id,
        "messages": [{"role": m.role, "content": _clean(m.content)} for m in query.messages],
        "prompt": _clean(query.prompt),
        "response": _clean(attempt.text),
        "think_content": _clean(sample.think),
        "answer_content": _clean(sample.answer),
        "category": query.category,
        "source": _clean(query.source),
        "ground_truth": None if query.ground_truth is None else _clean(query.ground_truth),
        "test_case": _json(query.test_case),
        "instruction_constrain": _json(query.instruction_constrain),
        "verify_score": verdict.score,
        "verifier": verdict.verifier,
        "model_name": attempt.teacher,
        "attempt": attempt.number,
        "seed": attempt.seed,
        "prompt_tokens": attempt.prompt_tokens,
        "completion_tokens": attempt.completion_tokens,
        "finish_reason": attempt.finish_reason,
        "quality": _json(sample.quality),
    }


def row_to_sample(row: dict[str, Any]) -> Sample:
    """The sample that `sample_to_row` made the row of."""
    query = Query(
        id=row["id"],
        messages=tuple(Message(role=m["role"], content=m["content"]) for m in row["messages"]),
        category=row["category"],
        source=row["source"],
        ground_truth=row["ground_truth"],
        test_case=None if row["test_case"] is None else orjson.loads(row["test_case"]),
        instruction_constrain=None
        if row["instruction_constrain"] is None
        else orjson.loads(row["instruction_constrain"]),
    )
    attempt = Attempt(
        query_id=row["id"],
        teacher=row["model_name"],
        number=row["attempt"],
        seed=row["seed"],
        text=row["response"],
        finish_reason=row["finish_reason"],
        prompt_tokens=row["prompt_tokens"],
        completion_tokens=row["completion_tokens"],
        duration_s=0.0,
    )
    # the score reached the threshold of its run, whatever that was
    verdict = scored(row["verify_score"], verifier=row["verifier"], reason="ok", threshold=0.0)
    return Sample(
        query=query,
        attempt=attempt,
        verdict=verdict,
        think=row["think_content"],
        answer=row["answer_content"],
        quality=orjson.loads(row["quality"]),
    )


def _json(value: dict[str, Any] | None) -> str | None:
    return None if value is None else orjson.dumps(value, option=orjson.OPT_SORT_KEYS).decode()


def _clean(text: str) -> str:
    return text if text.isascii() else _SURROGATES.sub("\ufffd", text)
