import asyncio

from reasonmill.engine.train.launcher import EXIT_MISTAKE, TrainerProcess


def test_a_configuration_that_cannot_be_read_ends_the_trainer_with_a_mistake_named_in_its_log(tmp_path):
    async def run() -> int:
        trainer = TrainerProcess(tmp_path / "none.json", tmp_path / "logs" / "train.log", 2)
        await trainer.start()
        return await trainer.wait()

    assert asyncio.run(run()) == EXIT_MISTAKE
    assert "none.json' does not exist" in (tmp_path / "logs" / "train.log").read_text()
