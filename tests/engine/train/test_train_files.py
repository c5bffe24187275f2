import asyncio
import os
import signal
import sys

import numpy as np
import pytest
import torch

from reasonmill.engine.faults import RunFailed, Stopped
from reasonmill.engine.train import files
from reasonmill.engine.train.config import TrainConfig
from reasonmill.engine.train.files import foretell, train_files
from reasonmill.engine.train.launcher import EXIT_FAULT, EXIT_FINISHED, EXIT_MISTAKE, EXIT_STOPPED
from reasonmill.engine.train.loop import Ranks, Student
from reasonmill.engine.train.packed_set import check_mark, mark_of, seal_of
from reasonmill.engine.train.rank import _Resumed, _stream
from reasonmill.engine.train.rates import Rates
from reasonmill.engine.train.settings import TrainSettings
from reasonmill.engine.train.status import write_status
from reasonmill.packing.balance import RowCost
from reasonmill.packing.byte_tokenizer import write_byte_tokenizer
from reasonmill.packing.chat import ChatEncoder
from reasonmill.packing.dataset import PackedReader, PackedWriter
from reasonmill.packing.settings import PackSettings


@pytest.fixture
def tokenizer(tmp_path) -> str:
    write_byte_tokenizer(tmp_path / "tokenizer")
    return str(tmp_path / "tokenizer")


def pack(folder, tokenizer, answers, *, finished=True) -> PackedReader:
    encoder, writer = ChatEncoder(tokenizer), PackedWriter(folder, max_length=64, window_documents=1)
    for number, answer in enumerate(answers):
        encoded = encoder.encode([("user", "?"), ("assistant", answer)])
        assert writer.append(encoded.input_ids, encoded.target, document=f"d{number}")
    writer.publish(writer.finish() if finished else writer.sync())
    return PackedReader(folder)


def test_training_needs_a_finished_set(tmp_path):
    with pytest.raises(ValueError, match="holds no finished packed set"):
        asyncio.run(train_files(str(tmp_path / "no"), str(tmp_path), TrainSettings(), PackSettings()))


def test_a_set_without_rows_is_refused_before_anything_starts(tmp_path, tokenizer):
    pack(tmp_path / "none", tokenizer, [])
    with pytest.raises(ValueError, match="none' holds no row: nothing was packed"):
        asyncio.run(train_files(str(tmp_path / "none"), str(tmp_path), TrainSettings(), PackSettings()))


def test_a_set_is_known_again_while_it_grows_and_another_is_refused(tmp_path, tokenizer):
    facts = {"rows": mark_of(pack(tmp_path / "young", tokenizer, ["a", "b"], finished=False))}
    check_mark(pack(tmp_path / "grown", tokenizer, ["a", "b", "c", "d"]), facts, tmp_path / "step-1")
    check_mark(pack(tmp_path / "none", tokenizer, []), facts, tmp_path / "step-1")
    other = pack(tmp_path / "other", tokenizer, ["z", "b"])
    check_mark(other, {}, tmp_path / "step-1")
    with pytest.raises(ValueError, match=r"other' is not the one that checkpoint .*step-1' was trained on"):
        check_mark(other, facts, tmp_path / "step-1")


def test_a_resumed_training_keeps_its_order_of_rows_whatever_now_says_how_long_it_goes_on(tmp_path, tokenizer):
    reader = pack(tmp_path / "packed", tokenizer, [str(number) for number in range(20)])
    student = Student(engine=None, reader=reader, cost=RowCost(), rates=Rates(num_ranks=1))
    ranks = Ranks(rank=0, world_size=1, device=torch.device("cpu"), gather=list, barrier=lambda: None)

    def order(published_first, **settings) -> list[int]:
        resumed = _Resumed(step=1, group_rows=1, published_first=published_first)
        stream = _stream(student, TrainSettings(num_ranks=1, **settings), ranks, resumed, lambda: False)
        return [stream._order.row(position, 20) for position in range(20)]

    assert order(False) == order(False, max_steps=9) != order(True, max_steps=9) == order(True) == list(range(20))


@pytest.mark.parametrize(("last", "told"), [(7, "documents end with token 7, not"), (50_000, "token 50000 of")])
def test_a_set_of_another_tokenizer_is_refused_before_anything_starts(tmp_path, tokenizer, last, told):
    settings = PackSettings(tokenizer=tokenizer)
    pack(tmp_path / "own", tokenizer, ["a", "b"])
    assert foretell(str(tmp_path / "own"), TrainSettings(), settings)
    writer = PackedWriter(tmp_path / "packed", max_length=4, window_documents=1)
    assert writer.append(np.array([1, 2, 3, last], np.uint32), np.ones(4, np.bool_), document="d")
    writer.publish(writer.finish())
    for work in (
        lambda: foretell(str(tmp_path / "packed"), TrainSettings(), settings),
        lambda: asyncio.run(train_files(str(tmp_path / "packed"), str(tmp_path / "out"), TrainSettings(), settings)),
    ):
        with pytest.raises(ValueError, match=f"packed with another tokenizer than pack.tokenizer .*{told}"):
            work()


@pytest.mark.parametrize(
    ("status", "ends_in", "told"),
    [
        (EXIT_STOPPED, Stopped, "SIGTERM"),
        (None, Stopped, "SIGTERM"),  # killed before it heard the signal
        (1, RunFailed, "No space left"),
        (EXIT_FAULT, RunFailed, "No space left"),
        (EXIT_MISTAKE, ValueError, "^OSError: No space left"),
        (EXIT_FINISHED, None, ""),
    ],
)
def test_a_stop_is_told_as_one_only_where_the_trainer_saved(tmp_path, tokenizer, monkeypatch, status, ends_in, told):
    pack(tmp_path / "packed", tokenizer, ["a", "b"])

    class Trainer(files.TrainerProcess):
        """Ends as told when it is asked to stop."""

        async def start(self) -> None:
            heard = "signal.SIG_DFL" if status is None else "leave"
            code = (
                "import signal, sys, time\n"
                f"def leave(*_): print('OSError: No space left on device', flush=True); sys.exit({status})\n"
                f"signal.signal(signal.SIGTERM, {heard})\nprint('ready', flush=True)\nwhile True: time.sleep(0.05)\n"
            )
            self._log_path.parent.mkdir(parents=True, exist_ok=True)
            with self._log_path.open("ab") as log:
                self._process = await asyncio.create_subprocess_exec(sys.executable, "-c", code, stdout=log)
            while b"ready" not in self._log_path.read_bytes():
                await asyncio.sleep(0.02)
            asyncio.get_running_loop().call_later(0.1, os.kill, os.getpid(), signal.SIGTERM)

    monkeypatch.setattr(files, "TrainerProcess", Trainer)
    work = train_files(
        str(tmp_path / "packed"), str(tmp_path / "out"), TrainSettings(), PackSettings(tokenizer=tokenizer)
    )
    if ends_in is None:
        assert asyncio.run(work) == tmp_path / "out" / "student"
        return
    with pytest.raises(ends_in, match=told):
        asyncio.run(work)


def test_a_training_that_ended_is_done_until_its_folder_holds_another_set(tmp_path, tokenizer):
    reader = pack(tmp_path / "packed", tokenizer, ["a", "b"])
    config = TrainConfig(
        packed=str(tmp_path / "packed"),
        output_dir=str(tmp_path / "train"),
        student_dir=str(tmp_path / "student"),
        tokenizer=tokenizer,
        settings=TrainSettings(),
    )
    config.write(tmp_path / "train" / "config.json")
    (tmp_path / "student").mkdir()
    (tmp_path / "student" / "config.json").write_text("{}")
    for known, done in ((seal_of(reader), True), (None, True), ("another", False)):
        write_status(tmp_path / "train", "finished", 9, packed=known)
        assert files._is_done(config, tmp_path / "train" / "config.json", reader) is done
    assert seal_of(reader) != seal_of(pack(tmp_path / "more", tokenizer, ["a", "b", "c"]))
    assert seal_of(pack(tmp_path / "young", tokenizer, ["a"], finished=False)) is None
