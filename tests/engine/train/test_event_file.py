import struct

import pytest

from reasonmill.engine.train.event_file import EventFile, crc32c
from reasonmill.engine.train.step_log import StepLog


def records(path):
    """Events of a file, each with its length and its two masked checksums right."""
    content, found = path.read_bytes(), []
    while content:
        length, header, event, footer = content[:8], content[8:12], None, None
        size = struct.unpack("<Q", length)[0]
        event, footer, content = content[12 : 12 + size], content[12 + size : 16 + size], content[16 + size :]
        for checked, stored in ((length, header), (event, footer)):
            crc = (struct.unpack("<I", stored)[0] - 0xA282EAD8) & 0xFFFFFFFF
            assert ((crc >> 17) | (crc << 15)) & 0xFFFFFFFF == crc32c(checked)
        found.append(event)
    return found


@pytest.mark.parametrize(
    ("content", "checksum"),
    [  # RFC 3720, appendix B.4
        (bytes(32), 0x8A9136AA),
        (b"\xff" * 32, 0x62A8AB43),
        (bytes(range(32)), 0x46DD794E),
        (b"123456789", 0xE3069283),
    ],
)
def test_the_checksum_is_castagnoli_s(content, checksum):
    assert crc32c(content) == checksum


def test_an_event_is_written_as_tensorboard_reads_it(tmp_path):
    events = EventFile(tmp_path, last_step=4)
    events.write(300, {"train/loss": 1.5}, time_unix_s=2.0)
    events.close()
    version, start, scalar = records(next(tmp_path.iterdir()))
    assert version[9:] == b"\x1a\x0dbrain.Event:2"
    assert start[9:] == b"\x10\x05" + b"\x3a\x02\x08\x01", "steps from the fifth on are made again"
    value = b"\x0a\x0atrain/loss" + b"\x15" + struct.pack("<f", 1.5)
    assert scalar == b"\x09" + struct.pack("<d", 2.0) + b"\x10\xac\x02" + b"\x2a\x13" + b"\x0a\x11" + value


def test_every_start_writes_a_file_of_its_own_with_each_figure_of_a_step(tmp_path):
    for first in (0, 1):
        with StepLog(tmp_path / "metrics.jsonl", last_step=first, tensorboard=tmp_path / "board") as log:
            log.write({"step": first + 1, "loss": 0.5, "mfu": 0.25, "end_unix_s": 9.0, "start_unix_s": 8.0})
    files = sorted((tmp_path / "board").iterdir())
    assert len(files) == 2
    for path in files:
        *_, scalars = records(path)
        assert b"train/loss" in scalars
        assert b"train/mfu" in scalars
        assert b"start_unix_s" not in scalars
