"""What is said before a training starts: steps as the reports have them, and memory with what to change."""

import re
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from reasonmill.engine.cli import run_command
from reasonmill.engine.recipe import load_recipe
from reasonmill.engine.train import memory
from reasonmill.engine.train.dimensions import Dimensions, dimensions_of
from reasonmill.engine.train.forecast import Extent, difference, forecast, rows_of_tokens
from reasonmill.engine.train.memory import GIB, changes, estimate, verdict
from reasonmill.engine.train.settings import ModelShape, TrainSettings, ZeroSettings
from reasonmill.packing import pack_lengths

RECIPES = Path(__file__).resolve().parents[3] / "recipes"
QWEN_32B = Dimensions(
    hidden_size=5120,
    num_hidden_layers=64,
    num_attention_heads=40,
    num_key_value_heads=8,
    head_dim=128,
    intermediate_size=27648,
    vocab_size=152064,
    tie_word_embeddings=False,
)
QWEN_4B = Dimensions(
    hidden_size=2560,
    num_hidden_layers=36,
    num_attention_heads=32,
    num_key_value_heads=8,
    head_dim=128,
    intermediate_size=9728,
    vocab_size=151936,
    tie_word_embeddings=True,
)
AM_TOKENS = 6_872_000_000  # step x 64 x 32,768 / 2 of arXiv 2505.14464 figure 6


def over(settings, num_rows):
    return forecast(settings, Extent(max_length=32768, num_rows=num_rows))


# learning rate, global batch, passes, row length, packed: arXiv 2505.14464 3.1, 2504.17565 3.8, 2504.09639 page 5
@pytest.mark.parametrize(
    ("name", "rate", "batch", "epochs", "length", "packing"),
    [
        ("nac", 8e-5, 64, 2, 32768, True),
        ("deepdistill-stage1", 8e-5, 64, 1, 32768, True),
        ("deepdistill-stage2", 8e-6, 64, 2, 32768, False),
        ("lev", 8e-6, 64, 3, 16384, True),
        ("1.4m", 8e-5, 64, 2, 32768, True),
    ],
)
def test_a_preset_has_the_numbers_of_its_report(name, rate, batch, epochs, length, packing):
    recipe = load_recipe(RECIPES / f"{name}.yaml")
    train, pack = recipe.train, recipe.pack
    assert (train.learning_rate, train.rows_per_step, train.num_train_epochs) == (rate, batch, epochs)
    assert (train.lr_scheduler_type, train.warmup_ratio, train.max_steps) == ("cosine", 0.05, None)
    assert (pack.max_length, pack.packing) == (length, packing)
    assert train.loss_weighting == "token"


def test_the_students_of_the_report_take_as_many_steps_as_its_figure_shows():
    train = load_recipe(RECIPES / "nac.yaml").train
    for tokens, steps in ((AM_TOKENS, 6554), (6_748_000_000, 6435), (5_752_000_000, 5486)):
        found = over(train, rows_of_tokens(tokens, 32768))
        assert abs(found.steps - steps) <= 1
    found = over(train, rows_of_tokens(AM_TOKENS, 32768))
    assert (found.steps, found.tokens_per_step, found.warmup_steps) == (6554, 2_097_152, 328)


def test_the_packer_needs_as_many_steps_as_are_foretold():
    # as many samples and tokens as the AM set has, of lengths spread as its own
    spread = np.exp(np.random.Generator(np.random.PCG64(1)).standard_normal(1_890_700))
    scale, lengths = 2000.0, spread
    for _ in range(6):
        lengths = np.clip(np.rint(scale * spread), 16, 32768).astype(np.int64)
        scale *= AM_TOKENS / lengths.sum()
    train = load_recipe(RECIPES / "nac.yaml").train
    packed = over(train, pack_lengths(lengths, 32768).num_rows)
    foretold = over(train, rows_of_tokens(int(lengths.sum()), 32768))
    assert foretold.steps == 6554
    assert 0 <= packed.steps - foretold.steps <= 1


def test_steps_are_foretold_by_the_command_without_a_packed_set(capsys):
    assert run_command(["train", str(RECIPES / "nac.yaml"), "--dry-run", "--tokens", str(AM_TOKENS)]) == 0
    assert "6,554 steps, 328 of them warm-up" in capsys.readouterr().out


# steps a preset takes over tokens or samples of its report: 1.89 million samples, arXiv 2504.17565 (a million drawn),
# 2504.09639 page 2, 2503.19633 page 2; of pairs 67,575 of arXiv 2505.02142
@pytest.mark.parametrize(
    ("name", "extent", "told"),
    [
        ("nac", "--tokens 6748000000", "64 rows = 2,097,152 tokens a step\n6,436 steps, 322 of them warm-up"),
        ("deepdistill-stage1", "--tokens 6872000000", "3,277 steps, 164 of them warm-up"),
        (
            "deepdistill-stage2",
            "--samples 100000 --tokens 400000000",
            "64 rows a step: 256,000 tokens, at most 2,097,152 tokens\n3,125 steps, 157 of them warm-up",
        ),
        ("deepdistill-stage2", "--samples 64", "64 rows a step: at most 2,097,152 tokens\n2 steps, 1 of them warm-up"),
        ("ld-dpo", "--samples 67575", "32 rows a step: at most 2,097,152 tokens\n2,112 steps, 212 of them warm-up"),
        ("lev", "--tokens 1300000000", "64 rows = 1,048,576 tokens a step\n3,720 steps, 186 of them warm-up"),
    ],
)
def test_a_preset_s_steps_are_foretold_from_tokens_or_from_samples(name, extent, told, capsys):
    assert run_command(["train", str(RECIPES / f"{name}.yaml"), "--dry-run", *extent.split()]) == 0
    assert told in capsys.readouterr().out


@pytest.mark.parametrize(
    ("name", "extent", "told"),
    [
        ("deepdistill-stage2", "--tokens 400000000", "a row is one sample, however short: give --samples, --packed"),
        ("ld-dpo", "--tokens 5", "--tokens 5: with pack.packing: false"),
        ("nac", "--samples 5", "--samples 5: samples are packed into full rows, so give --tokens"),
        ("nac", "--tokens 0", "--tokens 0 is not positive"),
        ("deepdistill-stage2", "--samples -3", "--samples -3 is not positive"),
        ("deepdistill-stage2", "--samples 1 --tokens 32769", "mean length is longer than pack.max_length 32768"),
    ],
)
def test_numbers_that_do_not_tell_how_many_rows_there_will_be_are_refused(name, extent, told, capsys):
    assert run_command(["train", str(RECIPES / f"{name}.yaml"), "--dry-run", *extent.split()]) == 2
    assert told in capsys.readouterr().err


def test_tokens_are_for_a_dry_run_without_a_packed_set(capsys, tmp_path):
    nac = str(RECIPES / "nac.yaml")
    assert run_command(["train", nac, "--packed", "x", "--output-dir", "x", "--tokens", "5"]) == 2
    assert "--tokens 5 foretells, and goes with --dry-run alone" in capsys.readouterr().err
    assert run_command(["train", nac, "--packed", "x", "--output-dir", "x", "--samples", "5"]) == 2
    assert "--samples 5 foretells, and goes with --dry-run alone" in capsys.readouterr().err
    assert run_command(["train", nac, "--dry-run", "--packed", str(tmp_path), "--tokens", "5"]) == 2
    assert "--tokens 5: the packed set" in capsys.readouterr().err


def test_training_without_a_packed_set_is_refused(capsys):
    assert run_command(["train", str(RECIPES / "nac.yaml"), "--output-dir", "x"]) == 2
    assert "--packed is missing" in capsys.readouterr().err


@pytest.mark.parametrize(("tokens", "fill"), [(0, 1.0), (-5, 1.0), (10, 0.0), (10, 1.5)])
def test_senseless_tokens_are_refused(tokens, fill):
    with pytest.raises(ValueError, match=f"{tokens} tokens, filled to {fill}"):
        rows_of_tokens(tokens, 32768, fill)


def test_rows_other_than_expected_are_told():
    settings = TrainSettings(expected_rows=100, num_train_epochs=2.0, num_ranks=2)
    assert difference(settings, 100) is None
    assert difference(settings, 120).startswith(
        "expected_rows: 100 were expected and 120 packed: 120 steps instead of 100"
    )
    assert difference(replace(settings, max_steps=10), 120) is None


def test_dimensions_count_the_parameters_that_the_models_have(tmp_path):
    assert QWEN_32B.num_parameters == pytest.approx(32.76e9, rel=1e-3)
    assert QWEN_4B.num_parameters == pytest.approx(4.02e9, rel=1e-2)
    assert 0.9e-5 < QWEN_32B.row_cost.quadratic < 1.1e-5
    assert dimensions_of(str(tmp_path)) is None
    (tmp_path / "config.json").write_text('{"hidden_size": 8, "num_attention_heads": 0}')
    assert dimensions_of(str(tmp_path)) is None
    shape = dimensions_of(ModelShape(), vocab_size=77)
    assert (shape.vocab_size, shape.hidden_size) == (77, 128)


def test_a_mixture_of_experts_is_not_counted_as_if_all_of_it_were_used(tmp_path):
    (tmp_path / "config.json").write_text(
        '{"hidden_size": 8, "num_attention_heads": 2, "num_hidden_layers": 1, "intermediate_size": 8,'
        ' "vocab_size": 10, "num_experts": 4}'
    )
    assert dimensions_of(str(tmp_path)) is None


def test_flops_are_those_of_the_layers_the_targets_and_each_document_s_own_attention():
    one, two = QWEN_4B.step_flops(1000, 1000**2, 600), QWEN_4B.step_flops(1000, 2 * 500**2, 600)
    assert one - two == pytest.approx(6 * 36 * 32 * 128 * 500_000)
    assert QWEN_4B.step_flops(1000, 0, 0) == pytest.approx(6000 * QWEN_4B.body_parameters)


def test_a_student_of_32_billion_needs_32_gpus_or_a_change_that_is_named():
    settings = load_recipe(RECIPES / "nac.yaml").train
    assert verdict(QWEN_32B, settings, max_length=32768, available=80 * GIB)[-1] == "fits into 80 GiB"
    few = replace(settings, num_ranks=16)
    lines = verdict(QWEN_32B, few, max_length=32768, available=80 * GIB)
    assert "memory of a node's host while each rank loads the whole student: 244 GiB" in lines
    assert any(re.fullmatch(r"does not fit into 80 GiB: [\d.]+ GiB too many", line) for line in lines)
    for setting in (  # and as many rows a step, of which two of 16 ranks x 2 steps are for each
        "sequence_parallel_size: 2 and gradient_accumulation_steps: 4",
        "num_ranks: 32 and gradient_accumulation_steps: 1",
        "zero.offload_optimizer: cpu",
    ):
        assert any(line.startswith(f"with {setting}:") and "fits with" in line for line in lines)
    for change in changes(QWEN_32B, few, max_length=32768):
        assert change.total < estimate(QWEN_32B, few, max_length=32768).total


def test_a_student_of_4_billion_trains_rows_of_32k_on_one_gpu_of_141_gigabytes():
    settings = TrainSettings(num_ranks=1, gradient_checkpointing=True)
    assert estimate(QWEN_4B, settings, max_length=32768).total < 131 * GIB
    without = estimate(QWEN_4B, replace(settings, gradient_checkpointing=False), max_length=32768)
    assert without.total > 141 * GIB
    logits = estimate(QWEN_4B, replace(settings, fused_loss=False), max_length=32768)
    assert logits.items["loss"] > 30 * GIB


def test_what_is_offloaded_is_held_by_the_host():
    settings = TrainSettings(num_ranks=8, gradient_checkpointing=True)
    away = replace(settings, zero=ZeroSettings(offload_optimizer="cpu", offload_param="cpu"))
    here, there = (estimate(QWEN_32B, one, max_length=32768) for one in (settings, away))
    moved = ("weights", "gradients", "optimizer")
    assert all(there.items[name] == 0 for name in moved)
    gradients = 4 * QWEN_32B.num_parameters / 8  # of a step, beside those that are summed up
    assert there.host_bytes == pytest.approx(sum(here.items[name] for name in moved) + gradients, rel=1e-6)


# field notes of whoever trains such models: 18 bytes a parameter, 590 GB of states for 32.8 billion
def test_states_are_eighteen_bytes_a_parameter_shared_out_over_the_ranks():
    for ranks in (1, 8, 16, 32):
        items = estimate(QWEN_32B, TrainSettings(num_ranks=ranks), max_length=32768).items
        states = sum(items[name] for name in ("weights", "gradients", "optimizer"))
        assert states == pytest.approx(18 * QWEN_32B.num_parameters / ranks, rel=1e-6)
    assert 18 * QWEN_32B.num_parameters == pytest.approx(590e9, rel=0.01)


def test_the_bucket_that_gradients_are_reduced_in_is_whole_on_a_gpu_however_small_the_student():
    small = replace(QWEN_4B, hidden_size=64, intermediate_size=64, vocab_size=300)
    for settings in (TrainSettings(num_ranks=1), TrainSettings(num_ranks=2)):
        found = estimate(small, settings, max_length=1024).items["reduction"]
        assert 10**9 <= found < 1.2 * 10**9
        assert estimate(small, settings, max_length=1024, on_gpu=False).items["reduction"] < 10**8


def test_what_no_single_change_mends_several_do_and_they_are_told_together():
    settings = TrainSettings(num_ranks=8)
    lines = verdict(QWEN_32B, settings, max_length=32768, available=80 * GIB)
    assert not any("fits with" in line for line in lines if line.startswith("with "))
    (together,) = (line for line in lines if line.startswith("together: "))
    assert "gradient_checkpointing: true" in together
    assert re.search(r": [\d.]+ GiB, fits with [\d.]+ GiB to spare$", together)
    hopeless = verdict(QWEN_32B, settings, max_length=2**26, available=80 * GIB)
    assert hopeless[-1].startswith("all of them together do not fit")


def test_the_loss_is_foretold_with_the_kernel_s_own_chunks():
    from reasonmill.kernels import linear_cross_entropy as kernel

    assert (memory._LOGITS_CPU, memory._LOGITS_GPU) == (kernel.CPU_LOGITS_BYTES, kernel.GPU_LOGITS_BYTES)


def test_a_student_that_no_gpu_holds_whole_is_told_not_to_start():
    large = replace(QWEN_32B, num_hidden_layers=140)
    settings = TrainSettings(num_ranks=256, gradient_checkpointing=True)
    lines = verdict(large, settings, max_length=1024, available=80 * GIB)
    assert "at the start: each GPU holds the whole student before it is shared out" in lines[-1]
    with pytest.raises(ValueError, match=r"'deepspeed_cpu_adam' works on a CPU: on GPUs it needs zero\.offload"):
        start_collectives_on_a_gpu(TrainSettings(optimizer="deepspeed_cpu_adam"))


def start_collectives_on_a_gpu(settings):
    from reasonmill.engine.train import zero

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(zero.torch.cuda, "is_available", lambda: True)
        zero.start_collectives(settings)
