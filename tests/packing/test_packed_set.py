import json
import shutil
import subprocess
import sys

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from reasonmill.packing.dataset import PackedReader, PackedWriter
from reasonmill.packing.layout import CHUNKS, DATA_FILES, PUBLISHED

MAX_LENGTH = 64


def document(number: int) -> tuple[np.ndarray, np.ndarray]:
    length = 3 + (number * 37) % 50
    ids = (np.arange(length) * 7 + number).astype(np.uint32)
    target = np.zeros(length, np.bool_)
    target[1 + number % (length - 1) :] = True
    return ids, target


def write(folder, numbers, *, state=None, window=8):
    writer = PackedWriter(folder, max_length=MAX_LENGTH, state=state, window_documents=window)
    for number in numbers:
        assert writer.append(*document(number), document=f"d{number}")
    return writer


def rows(folder) -> list:
    reader = PackedReader(folder)
    return [
        [reader.names_of(i), *(a.tolist() for a in (r.input_ids, r.position_ids, r.labels, r.cu_seqlens))]
        for i in range(reader.num_rows)
        for r in [reader.row(i)]
    ]


def finished(folder, count=60):
    writer = write(folder, range(count))
    writer.publish(writer.finish())
    return folder


def test_rows_hold_every_document_once_with_its_ids_positions_and_shifted_labels(tmp_path):
    reader = PackedReader(finished(tmp_path / "p"))
    seen = []
    for index in range(reader.num_rows):
        row = reader.row(index)
        assert len(row.input_ids) <= MAX_LENGTH
        for name, start, end in zip(reader.names_of(index), row.cu_seqlens, row.cu_seqlens[1:], strict=False):
            ids, target = document(int(name[1:]))
            seen.append(name)
            assert row.input_ids[start:end].tolist() == ids.tolist()
            assert row.position_ids[start:end].tolist() == list(range(len(ids)))
            expected = [int(ids[i + 1]) if target[i + 1] else -100 for i in range(len(ids) - 1)] + [-100]
            assert row.labels[start:end].tolist() == expected
        assert reader.row_targets(index) == np.count_nonzero(row.labels >= 0)
    assert sorted(seen) == sorted(f"d{number}" for number in range(60))
    assert reader.finished
    assert reader.num_documents == 60
    assert 0.9 < reader.fill <= 1.0


def test_a_document_longer_than_a_row_is_left_out_and_said_so(tmp_path):
    writer = write(tmp_path / "p", range(3))
    ids = np.ones(MAX_LENGTH + 1, np.uint32)
    assert not writer.append(ids, ids > 0, document="long")
    assert writer.append(ids[:-1], ids[:-1] > 0, document="just fits")
    writer.publish(writer.finish())
    assert writer.num_documents == 4


def test_nothing_is_visible_before_it_is_published(tmp_path):
    folder = tmp_path / "p"
    writer = write(folder, range(30))
    reader = PackedReader(folder)
    state = writer.sync()
    assert not reader.refresh()
    assert reader.num_rows == 0
    writer.publish(state)
    assert reader.refresh()
    assert reader.num_rows == state["num_rows"] > 0
    assert not reader.finished
    assert not reader.refresh()


def test_a_reader_follows_a_set_that_grows(tmp_path):
    folder = tmp_path / "p"
    writer = PackedWriter(folder, max_length=MAX_LENGTH, window_documents=8)
    reader = PackedReader(folder)
    seen = []
    for start in range(0, 60, 10):
        for number in range(start, start + 10):
            writer.append(*document(number), document=f"d{number}")
        writer.publish(writer.sync() if start < 50 else writer.finish())
        reader.refresh()
        seen += [reader.row(i).input_ids.tolist() for i in range(len(seen), reader.num_rows)]
    assert reader.finished
    assert seen == [row[1] for row in rows(finished(tmp_path / "q"))]


@settings(deadline=None, max_examples=15)
@given(st.integers(0, 60), st.integers(0, 60), st.booleans())
def test_a_set_resumed_after_a_crash_is_the_undisturbed_one(tmp_path_factory, synced, crashed, published):
    tmp_path = tmp_path_factory.mktemp("crash")
    folder = tmp_path / "p"
    writer = write(folder, range(synced))
    state = json.loads(json.dumps(writer.sync()))
    if published and synced:
        writer.publish(state)
    for number in range(synced, max(synced, crashed)):  # lost: synced later, but never journaled
        writer.append(*document(number), document=f"d{number}")
    writer.sync()
    again = write(folder, range(synced, 60), state=state)
    again.publish(again.finish())
    assert rows(folder) == rows(finished(tmp_path / "q"))
    for name in DATA_FILES:
        assert (folder / name).read_bytes() == (tmp_path / "q" / name).read_bytes()


def test_a_writer_makes_a_journaled_state_visible_that_the_crash_left_unpublished(tmp_path):
    writer = write(tmp_path / "p", range(30))
    state = writer.sync()
    assert PackedReader(tmp_path / "p").num_rows == 0
    PackedWriter(tmp_path / "p", max_length=MAX_LENGTH, state=state)
    assert PackedReader(tmp_path / "p").num_rows == state["num_rows"] > 0


def test_what_readers_saw_is_never_taken_back(tmp_path):
    writer = write(tmp_path / "p", range(20))
    early = writer.sync()
    for number in range(20, 40):
        writer.append(*document(number), document=f"d{number}")
    writer.publish(writer.sync())
    with pytest.raises(ValueError, match=r"shows 40 .num_documents. to readers, the state to go on from has only 20"):
        PackedWriter(tmp_path / "p", max_length=MAX_LENGTH, state=early)
    with pytest.raises(ValueError, match="has only 0"):
        PackedWriter(tmp_path / "p", max_length=MAX_LENGTH)


@pytest.mark.parametrize("name", [*DATA_FILES, CHUNKS, PUBLISHED])
@pytest.mark.parametrize("damage", ["cut", "flip", "gone"])
def test_a_damaged_file_is_named(tmp_path, name, damage):
    folder = finished(tmp_path / "p")
    path = folder / name
    content = bytearray(path.read_bytes())
    if damage == "cut":
        path.write_bytes(content[:-1])
    elif damage == "flip":
        content[len(content) // 2] ^= 0x11
        path.write_bytes(content)
    else:
        path.unlink()
    if (name, damage) == (PUBLISHED, "gone"):
        assert PackedReader(folder).num_rows == 0
        return
    with pytest.raises(ValueError, match=name):
        PackedReader(folder).check_all()


def test_damage_to_tokens_is_found_when_a_row_is_read(tmp_path):
    folder = finished(tmp_path / "p")
    content = bytearray((folder / "tokens.u32").read_bytes())
    content[5] ^= 1
    (folder / "tokens.u32").write_bytes(content)
    reader = PackedReader(folder)
    with pytest.raises(ValueError, match=r"tokens\.u32"):
        reader.row(0)


@pytest.mark.parametrize(
    ("content", "told"),
    [
        (b"", "is damaged"),
        (b"[1]", "is no record"),
        (b'{"format": 1, "num_documents": 3}', "wrong checksum"),
        (b'{"version": 7}', "has format None, expected 1"),
    ],
)
def test_a_foreign_file_in_its_place_is_named_to_reader_and_writer(tmp_path, content, told):
    state = write(tmp_path / "p", range(20)).sync()
    (tmp_path / "p" / PUBLISHED).write_bytes(content)
    with pytest.raises(ValueError, match=rf"published\.json' .*{told}"):
        PackedReader(tmp_path / "p")
    with pytest.raises(ValueError, match=rf"published\.json' .*{told}"):
        PackedWriter(tmp_path / "p", max_length=MAX_LENGTH, state=state)


def test_a_writer_names_the_file_that_is_shorter_than_its_state(tmp_path):
    writer = write(tmp_path / "p", range(20))
    state = writer.sync()
    (tmp_path / "p" / "rows.bin").write_bytes(b"")
    with pytest.raises(ValueError, match=r"rows\.bin' has 0 bytes, the state to go on from names"):
        PackedWriter(tmp_path / "p", max_length=MAX_LENGTH, state=state)


def test_a_finished_set_takes_no_more_documents_and_finishing_twice_changes_nothing(tmp_path):
    writer = write(tmp_path / "p", range(10))
    state = writer.finish()
    assert writer.finish() == state
    with pytest.raises(ValueError, match="is finished"):
        writer.append(*document(11), document="d11")


@pytest.mark.parametrize(
    ("ids", "target", "told"),
    [
        ([], [], "0 tokens and 0 targets"),
        ([5], [True], "1 tokens and 0 targets"),
        ([5, 6], [False, False], "2 tokens and 0 targets"),
        ([5, 6], [True], r"shape \(2,\), targets \(1,\)"),
    ],
)
def test_a_document_without_targets_is_refused(tmp_path, ids, target, told):
    writer = PackedWriter(tmp_path / "p", max_length=MAX_LENGTH)
    with pytest.raises(ValueError, match=told):
        writer.append(np.array(ids, np.uint32), np.array(target, np.bool_), document="x")


def test_another_row_length_than_the_set_was_begun_with_is_refused(tmp_path):
    state = write(tmp_path / "p", range(3)).sync()
    with pytest.raises(ValueError, match="max_length: 32 differs from the 64"):
        PackedWriter(tmp_path / "p", max_length=32, state=state)


def test_a_copied_set_reads_the_same(tmp_path):
    folder = finished(tmp_path / "p")
    shutil.copytree(folder, tmp_path / "copy")
    assert rows(tmp_path / "copy") == rows(folder)


READS = {
    "rows": lambda reader: reader.rows([0, reader.num_rows - 1]),
    "row": lambda reader: reader.row(reader.num_rows - 1),
    "row_tokens": lambda reader: reader.row_tokens([reader.num_rows - 1], np.zeros(MAX_LENGTH, np.uint32)),
    "places": lambda reader: reader.places(0),
    "tokens": lambda reader: reader.tokens.sum(),
    "target_bits": lambda reader: reader.target_bits.sum(),
    "row_sums": lambda reader: reader.row_sums(),
    "row_targets": lambda reader: reader.row_targets(reader.num_rows - 1),
    "names_of": lambda reader: reader.names_of(0),
}
# reads that touch one file alone; every other read may touch all but the names
ALONE = {"tokens": "tokens.u32", "target_bits": "targets.bits"}


@pytest.mark.parametrize("name", DATA_FILES)
def test_a_file_cut_short_under_a_reader_is_named_and_kills_nobody(tmp_path, name):
    for kind, read in READS.items():
        folder = finished(tmp_path / kind)
        reader = PackedReader(folder)
        reader.check_all()
        with (folder / name).open("ab") as file:
            file.truncate(10)
        if name == ALONE.get(kind, name) and (name != "names.jsonl" or kind == "names_of"):
            with pytest.raises(ValueError, match=f"{name}' has 10 bytes, chunks.jsonl names"):
                read(reader)
        else:
            read(reader)


def test_row_tokens_and_places_are_those_of_the_row(tmp_path):
    reader = PackedReader(finished(tmp_path / "p"))
    out = np.full(MAX_LENGTH, 9, np.uint32)
    for index in range(reader.num_rows):
        row, places = reader.row(index), reader.places(index)
        assert reader.row_tokens([index]).tolist() == row.input_ids.tolist()
        assert reader.row_tokens([index], out).tolist() == row.input_ids.tolist()
        assert places.lengths.tolist() == np.diff(row.cu_seqlens).tolist()
        assert reader.tokens[places.first_token[0]] == row.input_ids[0]
        assert places.first_mask_byte.max() < len(reader.target_bits)
    both = [*reader.row(0).input_ids.tolist(), *reader.row(1).input_ids.tolist()]
    assert reader.row_tokens((0, 1)).tolist() == both
    with pytest.raises(ValueError, match="out is full before the end of row 0"):
        reader.row_tokens([0], out[:2])
    with pytest.raises(IndexError, match=f"row {reader.num_rows} of {reader.num_rows}"):
        reader.row_tokens([0, reader.num_rows])


def test_several_rows_are_their_rows_end_to_end(tmp_path):
    reader = PackedReader(finished(tmp_path / "p"))
    chosen = [3, 0, reader.num_rows - 1]
    whole, parts = reader.rows(chosen), [reader.row(index) for index in chosen]
    for name in ("input_ids", "position_ids", "labels"):
        assert getattr(whole, name).tolist() == [x for part in parts for x in getattr(part, name).tolist()]
    assert np.diff(whole.cu_seqlens).tolist() == [x for part in parts for x in np.diff(part.cu_seqlens).tolist()]
    assert whole.documents == tuple(x for part in parts for x in part.documents)
    assert len(reader.rows([]).input_ids) == 0
    with pytest.raises(IndexError, match=f"row -1 of {reader.num_rows}"):
        reader.rows([0, -1])


def test_row_sums_are_those_of_the_rows_documents(tmp_path):
    reader = PackedReader(finished(tmp_path / "p"))
    for count in (None, 3, 0):
        tokens, squares = reader.row_sums(count)
        lengths = [np.diff(reader.row(i).cu_seqlens) for i in range(reader.num_rows if count is None else count)]
        assert tokens.tolist() == [int(sizes.sum()) for sizes in lengths]
        assert squares.tolist() == [int((sizes**2).sum()) for sizes in lengths]


def test_a_writer_can_be_told_to_let_the_oldest_leave(tmp_path):
    writer = write(tmp_path / "p", range(5), window=100)
    assert (writer.oldest_waiting, writer.num_rows) == (0, 0)
    writer.leave_before(3)
    assert writer.num_rows > 0
    assert writer.oldest_waiting in (3, 4, None)


_FULL_DISK = """
import resource, sys
from reasonmill.packing.dataset import PackedReader, PackedWriter
import numpy as np, signal
signal.signal(signal.SIGXFSZ, signal.SIG_IGN)
ids = np.arange(50, dtype=np.uint32)
writer = PackedWriter(sys.argv[1], max_length=64, window_documents=4)
for n in range(30):
    writer.append(ids, ids > 3, document=str(n))
writer.publish(writer.sync())
for n in range(30, 60):
    writer.append(ids + n, ids > 3, document=str(n))
resource.setrlimit(resource.RLIMIT_FSIZE, (8000, resource.RLIM_INFINITY))
for attempt in range(2):
    try:
        writer.sync()
    except OSError as error:
        print("refused", error.errno)
assert PackedReader(sys.argv[1]).num_documents == 30
resource.setrlimit(resource.RLIMIT_FSIZE, (resource.RLIM_INFINITY, resource.RLIM_INFINITY))
writer.publish(writer.finish())
reader = PackedReader(sys.argv[1])
reader.check_all()
print(reader.num_documents, sorted(int(reader.row(i).input_ids[0]) for i in range(reader.num_rows)))
"""


def test_a_full_disk_leaves_the_set_as_it_was_and_the_same_call_may_be_made_again(tmp_path):
    command = [sys.executable, "-c", _FULL_DISK, str(tmp_path / "p")]
    done = subprocess.run(command, capture_output=True, text=True, check=True)
    refused, again, result = done.stdout.splitlines()
    assert refused == again == "refused 27"
    assert result == f"60 {[0] * 30 + list(range(30, 60))}"
