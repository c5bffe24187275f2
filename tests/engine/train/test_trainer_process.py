import asyncio

import pytest

from reasonmill.engine.train.elastic import torchrun_arguments
from reasonmill.engine.train.launcher import EXIT_MISTAKE, TrainerProcess
from reasonmill.engine.train.settings import TrainSettings


def test_a_configuration_that_cannot_be_read_ends_the_trainer_with_a_mistake_named_in_its_log(tmp_path):
    async def run() -> int:
        trainer = TrainerProcess(tmp_path / "none.json", tmp_path / "logs" / "train.log", 2)
        await trainer.start()
        return await trainer.wait()

    assert asyncio.run(run()) == EXIT_MISTAKE
    assert "none.json' does not exist" in (tmp_path / "logs" / "train.log").read_text()


def test_ranks_are_placed_on_one_node_or_on_several():
    assert torchrun_arguments(TrainSettings(num_ranks=8), {})[0] == "--standalone"
    several = TrainSettings(num_ranks=32, num_nodes=4)
    asked = torchrun_arguments(several, {"MASTER_ADDR": "n0", "MASTER_PORT": "29500", "NODE_RANK": "3"})
    assert set(asked) >= {"--nproc-per-node=8", "--nnodes=4", "--node-rank=3", "--master-addr=n0"}
    assert "--standalone" not in asked
    with pytest.raises(ValueError, match="num_nodes: 4, but MASTER_PORT is not set"):
        torchrun_arguments(several, {"MASTER_ADDR": "n0"})
    with pytest.raises(ValueError, match="num_nodes: 3 does not divide num_ranks 32"):
        TrainSettings(num_ranks=32, num_nodes=3)
