"""What is read in blocks is what is read row by row: the same queries, records and rejects, whoever read them."""

import random
from contextlib import suppress
from itertools import pairwise
from pathlib import Path
from typing import Any

import numpy as np
import orjson
import pyarrow as pa
import pyarrow.parquet as pq
import pytest
import zstandard
from hypothesis import example, given, settings
from hypothesis import strategies as st

from reasonmill.engine.records import CATEGORIES, content_id
from reasonmill.engine.store import line_blocks, query_blocks, rows
from reasonmill.engine.store.published import ANSWER_KEYS, QUESTION_KEYS
from reasonmill.engine.store.query_block import QueryBlock, block_of
from reasonmill.engine.store.query_blocks import unread_blocks
from reasonmill.engine.store.readers import query_from_json, read_queries
from reasonmill.kernels import query_lines
from reasonmill.kernels.texts import Spans


def strings(spans: Spans) -> list[bytes]:
    return [spans.bytes[start:end].tobytes() for start, end in pairwise(spans.offsets.tolist())]


def columns(blocks: list[QueryBlock]) -> dict[str, list[Any]]:
    """All that blocks say, whatever their borders."""
    found: dict[str, list[Any]] = {"ids": [], "texts": [], "records": [], "categories": [], "rejects": []}
    for block in blocks:
        found["rejects"] += [(len(found["ids"]) + before, reject) for before, reject in block.rejects]
        found["ids"] += strings(block.ids)
        found["records"] += strings(block.records)
        found["texts"] += [block.texts.content(number) for number in range(len(block))]
        found["categories"] += block.categories.tolist()
    return found


def check(path: Path, category: str | None = None, max_rows: int = 7, max_bytes: int = 2**20) -> list[QueryBlock]:
    blocks = [unread() for unread in unread_blocks([path], category=category, max_rows=max_rows, max_bytes=max_bytes)]
    assert columns(blocks) == columns([block_of(read_queries([path], category=category))])
    return blocks


def written(value: Any, rng: random.Random) -> str:
    """JSON in one of its many forms: escapes, white space, members twice, numbers of all kinds."""
    space = rng.choice(["", "", "", " ", "\t ", "\r"])
    if isinstance(value, str):
        return '"' + "".join(character(c, rng) for c in value) + '"'
    if isinstance(value, dict):
        names = [written(name, rng) if rng.random() < 0.02 else orjson.dumps(name).decode() for name in value]
        members = [
            f"{space}{name}{space}:{space}{written(inner, rng)}"
            for name, inner in zip(names, value.values(), strict=True)
        ]
        if members and rng.random() < 0.02:
            members.append(rng.choice(members))
        return "{" + ",".join(members) + space + "}"
    if isinstance(value, list):
        return "[" + ",".join(space + written(v, rng) for v in value) + space + "]"
    if isinstance(value, float | int) and not isinstance(value, bool) and rng.random() < 0.5:
        numbers = (
            "0",
            "-0",
            "7",
            "-12",
            "1.5",
            "0.10",
            "-0.0",
            "1e5",
            "1E-3",
            "0.00001",
            "12345678901234567890",
            "0.0",
        )
        odd = ("1e400", "NaN", "01", "1.", "-", "1e", "99999999.12345", "0.12345678901234567", "1e-400", "9" * 70)
        return rng.choice((*numbers, *odd) if rng.random() < 0.3 else numbers)
    return str(value) if type(value) is int else orjson.dumps(value).decode()


def character(c: str, rng: random.Random) -> str:
    if c in '"\\' or c < " ":
        short = {"\n": "\\n", "\t": "\\t", "\b": "\\b", "\f": "\\f", "\r": "\\r", '"': '\\"', "\\": "\\\\"}
        return short[c] if c in short and rng.random() < 0.7 else f"\\u{ord(c):04x}"
    if c == "/" and rng.random() < 0.3:
        return "\\/"
    if rng.random() < 0.05:
        units = c.encode("utf-16-be", "surrogatepass")
        return "".join(f"\\u{units[at : at + 2].hex()}" for at in range(0, len(units), 2))
    return c


TEXT = st.one_of(
    st.sampled_from(
        ["", " ", "Add 2 and 3.", "naïve 数学 😀", 'a "quoted"\nline', "C:\\x \\frac{1}{2}", "\x00\x1f\x7f", "/"]
    ),
    st.text(max_size=40),
    st.text('ab \n"\\é中😀', max_size=300),
)
SCALAR = st.one_of(st.none(), st.booleans(), st.integers(-5, 5), st.floats(allow_nan=False, width=16), TEXT)
ANY = st.recursive(
    SCALAR, lambda inner: st.lists(inner, max_size=3) | st.dictionaries(TEXT, inner, max_size=3), max_leaves=6
)
TEST_CASE = st.one_of(
    st.none(), ANY, st.dictionaries(st.sampled_from("abc"), ANY, max_size=3), st.just('{"a": [1, 2.5]}'), st.just("[1]")
)
INFO = st.fixed_dictionaries(
    {},
    optional={
        "category": st.sampled_from([*CATEGORIES, "", None, "algebra"]),
        "source": TEXT | st.none(),
        "ground_truth": TEXT | st.none() | st.integers(),
        "test_case": TEST_CASE,
        "instruction_constrain": TEST_CASE,
    },
)
ROLE = st.sampled_from(["user", "user", "user", "assistant", "system", "human", "gpt", "robot", 3])
TURNS = st.lists(st.fixed_dictionaries({"role": ROLE, "content": TEXT}), max_size=4)
RELEASED = st.lists(
    st.fixed_dictionaries({"from": ROLE, "value": TEXT}, optional={"info": INFO | st.none() | st.just([])}), max_size=4
)
ASKED = st.one_of(
    st.fixed_dictionaries({"prompt": TEXT}),
    st.fixed_dictionaries({"prompt": ANY}),
    st.fixed_dictionaries({"messages": TURNS}),
    st.fixed_dictionaries({"messages": st.none(), "prompt": TEXT}),
    st.fixed_dictionaries({"conversations": RELEASED, "system": TEXT | st.none()}),
    st.fixed_dictionaries({"messages": TURNS, "conversations": RELEASED}),
)
MORE = st.fixed_dictionaries(
    {},
    optional={
        "id": st.one_of(TEXT, st.none(), st.integers(), st.booleans(), ANY),
        "tags": st.one_of(st.none(), TEXT, st.dictionaries(TEXT, TEXT, max_size=3), ANY),
        "difficulty": ANY,
    },
)
ELSEWHERE = st.dictionaries(st.sampled_from((*ANSWER_KEYS, *QUESTION_KEYS)), TEXT | ANY, max_size=2) | st.just({})


DAMAGE = [b"", b"\\", b'"', b"\x00", b"\xff", b"\xed\xa0\x80", b"}", b",", b"\\ud800", b"\r", b"\xef\xbb\xbf"]


@st.composite
def lines(draw: st.DrawFn) -> bytes:
    rng = draw(st.randoms(use_true_random=False))
    row = [*(draw(part) for part in (ASKED, INFO, MORE, ELSEWHERE))]
    members = [member for part in row for member in part.items()]
    rng.shuffle(members)
    line = written(dict(members), rng).encode("utf-8", "surrogatepass")
    if rng.random() < 0.15:  # damage
        at = rng.randrange(len(line) + 1)
        put = rng.choice(DAMAGE)
        line = line[:at] + put + line[at + rng.randrange(3) :]
    return line.replace(b"\n", b" ")


ODD = [
    b"",
    b"  ",
    b"\t\r",
    b"\x0b",
    b"{}",
    b"[]",
    b"null",
    b'"text"',
    b"{",
    b'{"prompt": "x"} x',
    b'{"prompt": "x",}',
    b'\xef\xbb\xbf{"prompt": "mark"}',
    b'{"prompt": "a", "prompt": "b"}',
    b'{"pro\\u006dpt": "a"}',
    b'{"prompt": "\\ud83d\\ude00 \\ud83d"}',
    b'{"prompt": "\\udc00"}',
    b'{"prompt": "\\u0000\\u001f\\/"}',
    b'{"id": 18446744073709551616, "prompt": "big"}',
    b'{"id": -0, "prompt": "zero"}',
    b'{"id": true, "prompt": "yes"}',
    b'{"prompt": "x", "category": "math", "category": "code"}',
    b'{"prompt": "x", "a": 1e400}',
    b'{"prompt": "x", "a": NaN}',
    b'{"prompt": "\xc0\xaf"}',
    b'{"prompt": "\xf4\x90\x80\x80"}',
    b'{"prompt": "\xed\xa0\x80"}',
    b'{"prompt": "\xe4\xb8"}',
    b'{"prompt": "x", "test_case": "{\\"a\\": 1.50}"}',
    b'{"prompt": "x", "test_case": {"a": 1, "a": 2}}',
    b'{"prompt": "x", "test_case": {"a": 0.1, "b": [true, null, "\\u00e9", -3]}}',
    b'{"prompt": "x", "ground_truth": 1.0}',
    b'{"prompt": "x", "tags": {"a": "b", "c": 1}}',
    b'{"prompt": "x", "tags": {"a": "b"}}',
    b'{"prompt": "x"}\r',
    b'{"prompt": "x", "test_case": ' + b'{"a":' * 40 + b"1" + b"}" * 41,
    b'{"prompt": ' + b"[" * 100 + b"]" * 100 + b"}",
    b'{"messages": [{"role": "user", "content": "a"}, {"role": "gpt", "content": "b"}]}',
    b'{"conversations": [{"from": "human", "value": "a", "info": {"source": "s", "ground_truth": 4}}], "system": "s"}',
]


@settings(deadline=None, max_examples=120)
@given(st.lists(lines() | st.sampled_from(ODD), max_size=12), st.integers(1, 5), st.sampled_from([None, "math", "no"]))
@example(ODD, 3, None)
def test_blocks_hold_what_the_reader_of_rows_reads(
    tmp_path_factory: pytest.TempPathFactory, content: list[bytes], max_rows: int, category: str | None
) -> None:
    path = tmp_path_factory.mktemp("rows") / "q.jsonl"
    path.write_bytes(b"\n".join(content))
    check(path, category, max_rows)
    path.write_bytes(b"\xef\xbb\xbf" + b"\n".join(content) + b"\n")
    check(path, category, max_rows)


PLAIN = [
    {"prompt": "Add 2 and 3."},
    {
        "prompt": 'Was macht 2 + 3?\n"Fünf", 数学 \\(x\\) 😀\t\x01',
        "category": "math",
        "source": "b\\s",
        "ground_truth": 5,
    },
    {"id": "a-1", "prompt": "x" * 1000, "test_case": {"input": ["1 2\n"], "output": ["3"], "weight": 0.5}},
    {
        "id": 7,
        "messages": [{"role": "system", "content": "s"}, {"role": "user", "content": "q"}],
        "tags": {"topic": "t"},
    },
    {"messages": [{"role": "human", "content": "q"}, {"role": "gpt", "content": "a"}], "ground_truth": None},
    {
        "system": "be kind",
        "conversations": [
            {
                "from": "user",
                "value": "q",
                "info": {
                    "category": "code",
                    "source": "s",
                    "ground_truth": "4",
                    "test_case": '{"a": [1]}',
                    "instruction_constrain": {},
                },
            },
            {"from": "assistant", "value": "a"},
        ],
    },
    {"prompt": "scored", "score": 0.12345, "when": [1, {"a": None}], "answer": "5", "ground_truth": "5"},
]


@pytest.mark.skipif(not query_lines.native_available, reason="the native module is not built")
def test_the_usual_rows_are_read_natively(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    path = tmp_path / "q.jsonl"
    path.write_bytes(b"".join(orjson.dumps(row) + b"\n" for row in PLAIN))
    check(path, max_rows=100)

    def refuse(line: int, text: bytes) -> rows.Row:
        raise AssertionError(f"line {line} was not plain: {text!r}")

    monkeypatch.setattr(query_blocks, "row_of_line", refuse)
    (block,) = [unread() for unread in unread_blocks([path], max_rows=100, max_bytes=2**20)]
    assert len(block) == len(PLAIN)


class Recorder(dict[str, Any]):
    """A row that knows which of its members it was asked for."""

    def __init__(self, row: dict[str, Any]) -> None:
        super().__init__(row)
        self.asked: set[str] = set()

    def get(self, name: str, default: Any = None) -> Any:
        self.asked.add(name)
        return super().get(name, default)

    def __getitem__(self, name: str) -> Any:
        self.asked.add(name)
        return super().__getitem__(name)

    def __contains__(self, name: object) -> bool:
        self.asked.add(str(name))
        return super().__contains__(name)


def test_every_member_that_the_reader_of_rows_asks_for_is_known_to_the_native_one() -> None:
    known = {"id", "prompt", "messages", "conversations", "system", "category", "source", "ground_truth", "test_case"}
    known |= {"instruction_constrain", "tags", *ANSWER_KEYS, *QUESTION_KEYS}
    for row in (*PLAIN, {"answer": "5"}, {"prompt": "q", "answer": [], "reward_model": {}}, {"instruction": "q"}):
        asked = Recorder(row)
        with suppress(ValueError):
            query_from_json(asked)
        assert asked.asked <= known


def test_without_the_native_module_rows_are_read_all_the_same(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    path = tmp_path / "q.jsonl"
    path.write_bytes(b"\n".join([*(orjson.dumps(row) for row in PLAIN), *ODD]))
    native = columns(check(path))
    monkeypatch.setattr(query_lines, "native_available", False)
    assert columns(check(path, max_rows=3, max_bytes=100)) == native


@given(st.text(max_size=600), st.sampled_from(CATEGORIES))
@settings(deadline=None)
def test_native_ids_are_of_the_content(tmp_path_factory: pytest.TempPathFactory, text: str, category: str) -> None:
    path = tmp_path_factory.mktemp("ids") / "q.jsonl"
    path.write_bytes(orjson.dumps({"prompt": text, "category": category}))
    (id_,) = columns(check(path))["ids"]
    assert id_.decode() == content_id(category, f"user\n{text}")


def test_ids_of_every_length_are_of_the_content(tmp_path: Path) -> None:
    path = tmp_path / "q.jsonl"
    texts = ["".join(random.Random(size).choices("abc dé中", k=size)) for size in (*range(300), 1000, 1024, 5000)]
    path.write_bytes(b"".join(orjson.dumps({"prompt": text, "category": "if"}) + b"\n" for text in texts))
    assert columns(check(path, max_rows=500))["ids"] == [content_id("if", f"user\n{t}").encode() for t in texts]


def test_lines_longer_than_the_limit_are_named_wherever_blocks_end(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(rows, "MAX_LINE_BYTES", 60)
    monkeypatch.setattr(line_blocks, "MAX_LINE_BYTES", 60)
    rng = random.Random(3)
    for read in (1, 7, 64, 4096):
        monkeypatch.setattr(line_blocks, "_READ", read)
        for _ in range(20):
            sizes = [rng.choice([1, 30, 59 - 14, 60 - 14, 61 - 14, 62 - 14, 200]) for _ in range(8)]
            end = rng.choice([b"", b"\n"])
            path = tmp_path / "q.jsonl"
            path.write_bytes(b"\n".join(b'{"prompt":"' + b"x" * size + b'"}' for size in sizes) + end)
            check(path, max_rows=rng.randrange(1, 5), max_bytes=rng.choice([10, 60]))


def test_every_format_and_several_files_give_the_same_queries(tmp_path: Path) -> None:
    content = b"".join(orjson.dumps(row) + b"\n" for row in PLAIN)
    (tmp_path / "a.jsonl").write_bytes(content)
    (tmp_path / "b.jsonl.zst").write_bytes(zstandard.ZstdCompressor().compress(content))
    (tmp_path / "c.json").write_bytes(orjson.dumps(PLAIN))
    pq.write_table(pa.Table.from_pylist([{"prompt": row.get("prompt")} for row in PLAIN[:3]]), tmp_path / "d.parquet")
    (tmp_path / "e.jsonl").write_bytes(b"")
    paths = [tmp_path / name for name in ("a.jsonl", "b.jsonl.zst", "c.json", "d.parquet", "e.jsonl")]
    blocks = [unread() for unread in unread_blocks(paths, max_rows=2, max_bytes=50)]
    assert columns(blocks) == columns([block_of(read_queries(paths))])
    assert max(map(len, blocks)) <= 2
    with pytest.raises(FileNotFoundError, match=r"none\.jsonl"):
        list(unread_blocks([tmp_path / "none.jsonl"], max_rows=2, max_bytes=50))


def test_a_damaged_compressed_file_is_named_with_the_lines_that_could_be_read(tmp_path: Path) -> None:
    path = tmp_path / "q.jsonl.zst"
    lines = b"".join(orjson.dumps({"prompt": f"question {i} {i * i}"}) + b"\n" for i in range(20_000))
    content = bytearray(zstandard.ZstdCompressor(write_checksum=True).compress(lines))
    content[-1] ^= 1  # of the checksum
    path.write_bytes(content)
    with pytest.raises(ValueError, match=r"q\.jsonl\.zst': the compressed stream breaks behind line \d+:"):
        list(unread_blocks([path], max_rows=100, max_bytes=2**20))
    path.write_bytes(content[:-30])
    with pytest.raises(ValueError, match=r"q\.jsonl\.zst' is cut off"):
        list(unread_blocks([path], max_rows=100, max_bytes=2**20))


@given(st.lists(st.tuples(st.booleans(), st.text("ab", max_size=3)), max_size=12), st.data())
def test_the_first_rows_of_a_block_end_with_a_query(given_rows: list[tuple[bool, str]], data: st.DataObject) -> None:
    items = [read_row(text if is_query else 3) for is_query, text in given_rows]
    block = block_of(items)
    count = data.draw(st.integers(0, len(block)))
    queries = [number for number, (is_query, _) in enumerate(given_rows) if is_query][:count]
    expected = items[: queries[-1] + 1] if queries else []
    assert columns([block.first(count)]) == columns([block_of(expected)])


def read_row(prompt: object) -> Any:
    row = rows.Row(line=1, value={"prompt": prompt})
    return query_blocks.read_query(row, "q.jsonl", category=None, source="q")


@given(st.binary(max_size=60), st.integers(1, 5), st.integers(1, 40))
def test_whole_lines_natively_are_those_of_the_twin(content: bytes, max_lines: int, max_bytes: int) -> None:
    array = np.frombuffer(content.replace(b"\x07", b"\n"), np.uint8)
    native = query_lines.whole_lines(array, max_lines, max_bytes)
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(query_lines, "native_available", False)
        assert query_lines.whole_lines(array, max_lines, max_bytes) == native
