"""One trainer, some steps, one line of JSON: `TRAINER STUDENT`. Run by bench/gpu/train.py, a process for each."""

import sys
import tempfile
import time
from pathlib import Path
from typing import Any

import numpy as np
import orjson
import torch

from reasonmill.engine.train.dimensions import dimensions_of
from reasonmill.engine.train.settings import ModelShape, TrainSettings
from reasonmill.packing.reader import PackedReader
from reasonmill.packing.writer import PackedWriter

_WARM_UP, _STEPS = 2, 4
_QWEN3: dict[str, Any] = {
    "num_key_value_heads": 8,
    "head_dim": 128,
    "vocab_size": 151_936,
    "max_position_embeddings": 40_960,
    "rope_theta": 1e6,
}
SHAPES = {
    "qwen3_0.6b": ModelShape(
        hidden_size=1024, num_hidden_layers=28, num_attention_heads=16, intermediate_size=3072, **_QWEN3
    ),
    "qwen3_1.7b": ModelShape(
        hidden_size=2048, num_hidden_layers=28, num_attention_heads=16, intermediate_size=6144, **_QWEN3
    ),
    "qwen3_4b": ModelShape(
        hidden_size=2560, num_hidden_layers=36, num_attention_heads=32, intermediate_size=9728, **_QWEN3
    ),
    "tiny": ModelShape(hidden_size=32, num_hidden_layers=2, intermediate_size=64, vocab_size=300),
}


def main() -> None:
    """Train, then tell."""
    trainer, student = sys.argv[1:]
    with tempfile.TemporaryDirectory() as name:
        reader = write_rows(
            Path(name) / "packed", 512 if student == "tiny" else 32_768, SHAPES[student].vocab_size or 0
        )
        if trainer == "trl_liger":
            seconds, tokens = _trl(student, reader, Path(name))
        else:
            kernels = {"ours": "transformers", "ours_own_kernels": "reasonmill", "ours_liger": "liger"}[trainer]
            seconds, tokens = _ours(student, reader, Path(name), kernels)
        squares = sum(int((reader.lengths_of(row) ** 2).sum()) for row in range(reader.num_rows)) / reader.num_rows
        targets = reader.num_targets / reader.num_rows
        _tell(student, seconds, tokens, round(squares), round(targets), reader.max_length)


def _tell(student: str, seconds: float, tokens: int, squares: int, targets: int, max_length: int) -> None:
    from reasonmill.engine.train.rates import peak_of

    on_gpu = torch.cuda.is_available()
    device = torch.device("cuda" if on_gpu else "cpu")
    dimensions = dimensions_of(SHAPES[student])
    assert dimensions is not None, "a shape says its sizes"
    peak = peak_of(device, torch.bfloat16 if on_gpu else torch.float32, None)
    rate = dimensions.step_flops(max_length, squares, targets) * tokens / max_length / seconds
    told = {
        "tokens_per_s": tokens / seconds,
        "mfu": None if peak is None else rate / peak.flops_per_s,
        "peak_flops": None if peak is None else peak.flops_per_s,
        "peak_source": None if peak is None else peak.source,
        "peak_mib": torch.cuda.max_memory_allocated() // 2**20 if on_gpu else 0,
        "steps": _STEPS,
        "tokens": tokens,
    }
    print(orjson.dumps(told).decode(), flush=True)


def write_rows(folder: Path, max_length: int, vocab_size: int) -> PackedReader:
    """Rows of documents with the paper's lengths, a tenth of each a prompt."""
    random = np.random.default_rng(20250521)
    writer = PackedWriter(folder, max_length=max_length)
    for number in range(120):
        length = int(np.clip(np.rint(np.exp(random.normal(7.75278, 1.0)) * max_length / 32_768), 4, max_length))
        ids = random.integers(0, vocab_size, length).astype(np.uint32)
        writer.append(ids, np.arange(length) >= length // 10, document=f"d{number}")
    writer.publish(writer.finish())
    return PackedReader(folder)


def _ours(student: str, reader: PackedReader, folder: Path, kernels: Any) -> tuple[float, int]:
    from reasonmill.engine.train.batches import micro_batch
    from reasonmill.engine.train.layer_kernels import apply_layer_kernels
    from reasonmill.engine.train.loss import StudentLoss, loss_scale
    from reasonmill.engine.train.model import build_model
    from reasonmill.engine.train.zero import ZeroEngine, start_collectives

    on_gpu = torch.cuda.is_available()
    settings = TrainSettings(
        model=SHAPES[student], num_ranks=1, bf16=on_gpu, gradient_checkpointing=True, layer_kernels=kernels
    )
    device = start_collectives(settings)
    kind = torch.bfloat16 if on_gpu else torch.float32
    model = build_model(settings.model, vocab_size=0, seed=0, dtype=kind)
    apply_layer_kernels(model, settings.layer_kernels)
    model.train()
    model.gradient_checkpointing_enable({"use_reentrant": False})
    engine = ZeroEngine(StudentLoss(model), settings)
    began, tokens = 0.0, 0
    for step in range(_WARM_UP + _STEPS):
        if step == _WARM_UP:
            _wait()
            began, tokens = time.perf_counter(), 0
        batch = micro_batch(reader, [step % reader.num_rows], device)
        engine.clock.begin()
        engine.micro_step(loss_scale(reader.row_targets(step % reader.num_rows), 1, 1), batch)
        norm = engine.grad_norm()
        assert norm > 0.0, "a step without a gradient is no step"
        tokens += batch.input_ids.shape[1]
    _wait()
    return time.perf_counter() - began, tokens


def _trl(student: str, reader: PackedReader, folder: Path) -> tuple[float, int]:
    from datasets import Dataset
    from transformers import TrainerCallback
    from trl import SFTConfig, SFTTrainer

    from reasonmill.bench.train_contestants import documents
    from reasonmill.engine.train.export import write_model_folder
    from reasonmill.engine.train.model import build_model
    from reasonmill.packing.byte_tokenizer import write_byte_tokenizer

    tokenizer = write_byte_tokenizer(folder / "tokenizer")
    model = build_model(SHAPES[student], vocab_size=0, seed=0, dtype=torch.float32)
    write_model_folder(folder / "model", model=model, weights=model.state_dict(), tokenizer=tokenizer, end_token_id=1)
    del model
    times: list[float] = []
    counts: list[int] = []

    class Times(TrainerCallback):  # type: ignore[misc]
        def on_step_end(self, *arguments: Any, **options: Any) -> None:
            _wait()
            times.append(time.perf_counter())

    attention = "flash_attention_2" if _has("flash_attn") else "sdpa"
    config = SFTConfig(
        output_dir=str(folder / "out"),
        model_init_kwargs={"dtype": "float32", "attn_implementation": attention},
        bf16=True,
        use_liger_kernel=True,
        packing=True,
        max_length=reader.max_length,
        per_device_train_batch_size=1,
        gradient_checkpointing=True,
        optim="adamw_torch_fused",
        max_steps=_WARM_UP + _STEPS,
        logging_strategy="no",
        save_strategy="no",
        report_to="none",
        disable_tqdm=True,
    )
    trainer = SFTTrainer(
        model=str(folder / "model"),
        args=config,
        train_dataset=Dataset.from_list(documents(reader)),
        callbacks=[Times()],
    )
    collate = trainer.data_collator

    def counted(examples: list[dict[str, Any]]) -> Any:
        counts.append(sum(len(one["input_ids"]) for one in examples))
        return collate(examples)

    trainer.data_collator = counted
    trainer.train()
    return times[-1] - times[_WARM_UP - 1], sum(counts[_WARM_UP : _WARM_UP + _STEPS])


def _wait() -> None:
    if torch.cuda.is_available():
        torch.cuda.synchronize()


def _has(package: str) -> bool:
    from importlib.util import find_spec

    return find_spec(package) is not None


if __name__ == "__main__":
    main()
