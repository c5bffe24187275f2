"""ZeRO-3 on one and two ranks, FSDP2 and a plain process learn the same: one torchrun a world size makes all checks."""

import socket
import subprocess
import sys
from itertools import product
from pathlib import Path

import numpy as np
import orjson
import pytest

from reasonmill.engine.train.launcher import rank_environment
from reasonmill.packing.dataset import PackedWriter

CHECKS = Path(__file__).with_name("rank_checks.py")
# rows of 64 tokens: documents of two tokens, one that fills a row, and uneven shares of targets
LENGTHS = (2, 64, 2, 17, 18, 19, 40, 5, 33, 60, 44)


def ranks(size: int, folder: Path) -> list[subprocess.Popen]:
    """The processes that torchrun would start, without the time that it takes to start itself."""
    with socket.create_server(("127.0.0.1", 0)) as server:
        port = server.getsockname()[1]
    shared = {"WORLD_SIZE": size, "LOCAL_WORLD_SIZE": size, "MASTER_ADDR": "127.0.0.1", "MASTER_PORT": port}
    started = []
    for rank in range(size):
        own = shared | {"RANK": rank, "LOCAL_RANK": rank, "DS_ACCELERATOR": "cpu"}
        command = [sys.executable, "-W", "ignore", CHECKS, folder / "packed", folder / f"{size}.json"]
        started.append(
            subprocess.Popen(
                command,
                env=rank_environment(size) | {name: str(value) for name, value in own.items()},
                stdout=subprocess.PIPE,
                stderr=subprocess.STDOUT,
                text=True,
            )
        )
    return started


@pytest.fixture(scope="module")
def found(tmp_path_factory) -> dict[int, dict]:
    folder = tmp_path_factory.mktemp("exact")
    writer = PackedWriter(folder / "packed", max_length=64, window_documents=16)
    random = np.random.default_rng(5)
    for number, length in enumerate(LENGTHS):
        target = np.arange(length) > length * (number % 4) // 5
        ids = random.integers(0, 96, length).astype(np.uint32)
        if number == 4:
            ids[3] = 96
        writer.append(ids, target, document=f"d{number}")
    writer.publish(writer.finish())
    assert writer.num_rows == 5
    runs = {size: ranks(size, folder) for size in (1, 2)}
    told = {size: [rank.communicate(timeout=300)[0] for rank in run] for size, run in runs.items()}
    for size, run in runs.items():
        assert [rank.returncode for rank in run] == [0] * size, "".join(told[size])
    return {size: orjson.loads((folder / f"{size}.json").read_bytes()) for size in runs}


CASES = ("tied", "untied, recomputed", "untied, by sample", "tied, all logits, own kernels")


# few tests over one fixture: workers that share a file between them would each make it
def test_zero3_and_fsdp2_have_the_losses_and_gradients_of_one_plain_process(found):
    for case, num_ranks in product(CASES, (1, 2)):
        of_case = found[num_ranks][case]
        for name in ("zero_loss", "zero_gradients", "zero_norm", "fsdp_loss", "fsdp_gradients"):
            assert of_case[name] <= 1e-5, (case, num_ranks, name, of_case)
        assert of_case["zero_weights"] <= 1e-4, (case, num_ranks, of_case)


def test_what_is_offloaded_learns_the_same(found):
    for name in ("zero_loss", "zero_gradients", "zero_norm", "zero_weights"):
        assert found[2]["offloaded"][name] <= (1e-4 if name == "zero_weights" else 1e-5), (name, found[2]["offloaded"])


def test_bfloat16_learns_the_same_within_its_rounding(found):
    of_case = found[2]["bfloat16"]
    assert of_case["zero_loss"] <= 1e-2
    assert of_case["zero_norm"] <= 1e-2
    assert of_case["zero_gradients"] <= 5e-2


def test_ranks_that_share_rows_have_the_losses_and_gradients_of_one_plain_process(found):
    of_case = found[2]["rows shared by two ranks"]
    for name in ("zero_loss", "zero_gradients", "zero_norm"):
        assert of_case[name] <= 1e-5, (name, of_case)


def test_one_and_two_ranks_take_the_same_loss(found):
    for case in CASES:
        assert found[1][case]["plain_loss"] == found[2][case]["plain_loss"]
    assert found[1]["tied"]["plain_loss"] != found[1]["untied, by sample"]["plain_loss"]


def test_a_loss_that_is_no_number_ends_training_and_names_its_rows_alone(found):
    told = found[2]["nan"]
    assert told.startswith("step 1: loss sum nan")
    named = told[told.index("; in ") :]
    assert "d4" in named
    assert named.count("row ") <= 2, "the micro-batch of the spoilt document, not the step"


def test_a_gradient_of_length_zero_ends_training_and_names_the_step_s_rows(found):
    told = found[2]["zero"]
    assert "gradient norm 0.0; in row 0 (" in told
    assert all(f"d{number}" in told for number in range(len(LENGTHS)))
