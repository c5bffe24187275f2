import dataclasses
import math
from itertools import pairwise

import pytest

from reasonmill.engine.train.config import TrainConfig
from reasonmill.engine.train.schedule import Schedule, warmup_steps
from reasonmill.engine.train.settings import ModelShape, TrainSettings, ZeroSettings
from reasonmill.engine.train.step_log import StepLog, newest_record


@pytest.mark.parametrize(
    ("field", "value"),
    [
        ("num_ranks", 0),
        ("per_device_train_batch_size", 0),
        ("gradient_accumulation_steps", -1),
        ("learning_rate", 0.0),
        ("learning_rate", math.nan),
        ("num_train_epochs", 0.0),
        ("warmup_ratio", 1.0),
        ("adam_beta2", 1.5),
        ("weight_decay", -0.1),
        ("max_grad_norm", -1.0),
        ("save_steps", -1),
        ("save_total_limit", 0),
        ("max_steps", 0),
        ("threads_per_rank", 0),
        ("sequence_parallel_size", 0),
        ("expected_rows", 0),
        ("save_interval_s", -1.0),
        ("save_interval_s", math.nan),
        ("balance_window_rows", -1),
        ("peak_flops", 0.0),
        ("device_memory_gib", math.inf),
        ("seed", -1),
        ("model", ""),
    ],
)
def test_a_senseless_train_setting_is_named_with_its_value(field, value):
    with pytest.raises(ValueError, match=f"^{field}: {'the path is empty' if value == '' else value}"):
        TrainSettings(**{field: value})


@pytest.mark.parametrize(
    ("cls", "field", "value"),
    [
        (ModelShape, "hidden_size", 0),
        (ModelShape, "num_key_value_heads", 3),
        (ModelShape, "head_dim", 31),
        (ZeroSettings, "stage3_param_persistence_threshold", -1),
        (ZeroSettings, "reduce_bucket_size", 0),
    ],
)
def test_a_senseless_shape_or_threshold_is_named_with_its_value(cls, field, value):
    with pytest.raises(ValueError, match=f"^{field}: {value}"):
        cls(**{field: value})


@pytest.mark.parametrize(
    ("settings", "told"),
    [
        ({"loss_weighting": "tokens"}, "loss_weighting: 'tokens' is none of token, sample"),
        ({"optimizer": "sgd"}, "optimizer: 'sgd' is none of"),
        ({"layer_kernels": "cuda"}, "layer_kernels: 'cuda' is none of"),
        ({"lr_scheduler_type": "wsd"}, "lr_scheduler_type: 'wsd' is none of"),
        ({"num_ranks": 3, "sequence_parallel_size": 2}, "sequence_parallel_size: 2 does not divide num_ranks 3"),
        ({"expected_rows": 5, "num_train_epochs": 0.5}, "num_train_epochs: 0.5 is less than a pass"),
    ],
)
def test_a_choice_that_there_is_not_is_named(settings, told):
    with pytest.raises(ValueError, match=told):
        TrainSettings(**settings)


def test_weights_are_offloaded_with_the_optimizer_only():
    with pytest.raises(ValueError, match="offload_param: 'cpu' goes with offload_optimizer"):
        ZeroSettings(offload_param="cpu")
    with pytest.raises(ValueError, match="offload_optimizer: 'nvme' is none of none, cpu"):
        ZeroSettings(offload_optimizer="nvme")


def test_ranks_that_share_rows_take_fewer_of_them_a_step():
    assert TrainSettings(num_ranks=8, sequence_parallel_size=4, gradient_accumulation_steps=3).rows_per_step == 6


@pytest.mark.parametrize("model", ["some/folder", ModelShape(hidden_size=64)])
def test_a_configuration_comes_back_from_its_file(tmp_path, model):
    settings = TrainSettings(model=model, max_steps=7, zero=ZeroSettings(overlap_comm=True))
    config = TrainConfig(packed="p", output_dir="o", student_dir="s", tokenizer="t", settings=settings)
    config.write(tmp_path / "new" / "config.json")
    assert TrainConfig.read(tmp_path / "new" / "config.json") == config


@pytest.mark.parametrize(
    ("content", "told"),
    [
        (None, "does not exist"),
        ("{", "unexpected end|EOF|char"),
        ("{}", "settings"),
        ('{"settings": {"zero": {}, "model": {}, "max_steps": 0}}', "max_steps: 0"),
    ],
)
def test_a_configuration_that_cannot_be_read_is_named(tmp_path, content, told):
    path = tmp_path / "config.json"
    if content is not None:
        path.write_text(content)
    with pytest.raises(ValueError, match=rf"config\.json.*({told})"):
        TrainConfig.read(path)


def test_the_rate_climbs_to_its_peak_and_falls_to_zero():
    total = 200
    schedule = Schedule(kind="cosine", peak=1.0, warmup_steps=warmup_steps(0.05, total), total_steps=total)
    rates = [schedule.learning_rate(step) for step in range(total + 1)]
    assert rates[:10] == pytest.approx([(step + 1) / 10 for step in range(10)])
    assert rates[10] == max(rates) == 1.0
    assert all(a > b for a, b in pairwise(rates[10:]))
    assert rates[105] == pytest.approx(0.5)
    assert rates[total] == pytest.approx(0.0, abs=1e-15)


def test_other_schedules():
    linear = Schedule(kind="linear", peak=2.0, warmup_steps=0, total_steps=4)
    assert [linear.learning_rate(step) for step in range(5)] == [2.0, 1.5, 1.0, 0.5, 0.0]
    constant = dataclasses.replace(linear, kind="constant", warmup_steps=2)
    assert [constant.learning_rate(step) for step in range(4)] == [1.0, 2.0, 2.0, 2.0]


@pytest.mark.parametrize("half", [b"", b'{"step": 5, "lo'])
def test_a_step_log_has_each_step_once_after_a_crash(tmp_path, half):
    path = tmp_path / "metrics.jsonl"
    with StepLog(path, last_step=0) as log:
        for step in range(1, 5):
            log.write({"step": step})
    path.write_bytes(path.read_bytes() + half)
    assert newest_record(path) == {"step": 4}
    with StepLog(path, last_step=2) as log:
        for step in range(3, 7):
            log.write({"step": step, "again": True})
    lines = path.read_text().splitlines()
    assert lines == ['{"step":1}', '{"step":2}', *(f'{{"step":{step},"again":true}}' for step in range(3, 7))]


def test_a_step_log_that_is_not_there_has_no_newest_record(tmp_path):
    assert newest_record(tmp_path / "metrics.jsonl") is None
