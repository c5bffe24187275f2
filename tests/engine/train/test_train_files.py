import asyncio

import pytest

from reasonmill.engine.train.files import train_files
from reasonmill.engine.train.settings import TrainSettings
from reasonmill.packing.settings import PackSettings


def test_training_needs_a_finished_set(tmp_path):
    with pytest.raises(ValueError, match="holds no finished packed set"):
        asyncio.run(train_files(str(tmp_path / "no"), str(tmp_path), TrainSettings(), PackSettings()))
