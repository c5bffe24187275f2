"""Rows planned, streamed, balanced and read, beside lightbinpack, TRL and memcpy, on lengths of reasoning samples."""

import importlib
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from reasonmill.bench.figure import Figure, Scale
from reasonmill.bench.lengths import CAPACITY, TEACHERS, log_normal, lower_bound, teacher
from reasonmill.bench.method import interleave
from reasonmill.packing import pack_lengths
from reasonmill.packing.balance import RowCost, balanced_order, lockstep_slowdown, row_sums
from reasonmill.packing.dataset import PackedReader, PackedWriter
from reasonmill.packing.planner import fill
from reasonmill.packing.stream import RowPacker

_WINDOW = 1024
_BATCH_ROWS = 4  # of a micro-batch that is materialised at once
_TRL_SCALE = 32  # TRL's lengths and capacity are divided by this: it moves tokens as it plans, and so has few to move


def measure(scale: Scale) -> Iterator[Figure]:
    """The figures of packing; `node` takes more documents and rounds."""
    lengths = log_normal(1_000_000)
    rounds = 5 if scale == "ci" else 15
    yield from _plan(lengths, rounds)
    yield from _plan_beside_trl(lengths[: 50_000 if scale == "ci" else 400_000], rounds=3)
    yield from _ten_million(lengths, rounds)
    yield from _stream(lengths, 200_000 if scale == "ci" else 1_000_000)
    yield from _balance(lengths)
    yield from _read(lengths, num_tokens=2**25 if scale == "ci" else 2**29, rounds=rounds)


def _plan(lengths: NDArray[np.int64], rounds: int) -> Iterator[Figure]:
    plan, bound = pack_lengths(lengths, CAPACITY), lower_bound(lengths)
    yield Figure(
        name="plan_rows_over_bound",
        value=plan.num_rows - bound,
        unit="rows",
        better="lower",
        target=2,
        gated=True,
        tolerance=0.0,
        detail={"rows": plan.num_rows, "lower_bound": bound, "fill": fill(lengths, plan, CAPACITY)},
    )
    contestants: dict[str, Callable[[], object]] = {"ours": lambda: pack_lengths(lengths, CAPACITY)}
    peer = _peer("lightbinpack")
    if peer is not None:
        as_list = lengths.tolist()  # what it takes; the conversion is not counted
        contestants["obfd"] = lambda: peer.obfd(as_list, CAPACITY)
        contestants["obfdp"] = lambda: peer.obfdp(as_list, CAPACITY)
    by_cpu = interleave(contestants, rounds=rounds)
    yield Figure(name="plan_rate", value=len(lengths) / by_cpu.best("ours"), unit="documents/s")
    if peer is None:
        yield _missing("lightbinpack")
        return
    # the parallel variant by the clock on the wall, the other by CPU time: each as it looks best
    by_wall = interleave(contestants, rounds=rounds, clock=time.perf_counter)
    ratios = {"obfd": by_cpu.ratio("obfd", "ours"), "obfdp": by_wall.ratio("obfdp", "ours")}
    rows = {name: len(getattr(peer, name)(as_list, CAPACITY)) for name in ratios}
    yield Figure(
        name="plan_vs_lightbinpack",
        value=min(ratios.values()),
        unit="x",
        target=6,
        gated=True,
        tolerance=0.25,
        detail={"ratios": ratios, "rows": rows, "spread": by_cpu.spread("obfd", "ours")},
    )


def _plan_beside_trl(lengths: NDArray[np.int64], rounds: int) -> Iterator[Figure]:
    peer = _peer("trl.data_utils")
    if peer is None:
        yield _missing("trl")
        return
    import pyarrow as pa

    scaled = np.maximum(1, lengths // _TRL_SCALE)
    offsets = np.concatenate(([0], np.cumsum(scaled))).astype(np.int32)
    table = pa.table({"input_ids": pa.ListArray.from_arrays(offsets, np.zeros(offsets[-1], np.int8))})
    times = interleave(
        {
            "ours": lambda: pack_lengths(lengths, CAPACITY),
            "trl": lambda: peer._pack_bfd(table, CAPACITY // _TRL_SCALE),
        },
        rounds=rounds,
    )
    detail = {"documents": len(lengths), "trl_lengths_divided_by": _TRL_SCALE}
    yield times.figure("plan_vs_trl", "trl", "ours", target=200, tolerance=0.5, **detail)


# Of the child's own memory: ru_maxrss would begin with what this process has.
_PEAK = """
import re, sys
from pathlib import Path
import numpy as np
from reasonmill.packing import pack_lengths

def peak():
    return int(re.search(r"VmHWM:\\s*(\\d+)", Path("/proc/self/status").read_text())[1])

lengths = np.tile(np.load(sys.argv[1]), 10)
pack_lengths(lengths[:10], 32768)
before = peak()
pack_lengths(lengths, 32768)
print(before, peak())
"""


def _ten_million(lengths: NDArray[np.int64], rounds: int) -> Iterator[Figure]:
    many = np.tile(lengths, 10)
    times = interleave(
        {"one": lambda: pack_lengths(lengths, CAPACITY), "ten": lambda: pack_lengths(many, CAPACITY)}, rounds=rounds
    )
    yield Figure(
        name="plan_ten_million_vs_one",
        value=times.ratio("ten", "one") / 10,
        unit="x per document",
        better="lower",
        target=1.5,
        gated=True,
        tolerance=0.3,
    )
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "lengths.npy"
        np.save(path, lengths)
        command = [sys.executable, "-P", "-c", _PEAK, str(path)]
        before, after = subprocess.run(command, check=True, capture_output=True, text=True).stdout.split()
    yield Figure(
        name="plan_ten_million_peak",
        value=int(after) / 2**20,
        unit="GiB",
        better="lower",
        target=1,
        gated=True,
        detail={"before_the_plan_gib": int(before) / 2**20},
    )


def _stream(lengths: NDArray[np.int64], count: int) -> Iterator[Figure]:
    draws = {"log_normal": lengths[:count], **{name: teacher(name, count) for name in TEACHERS}}
    for name, drawn in draws.items():
        streamed, seconds = _streamed(drawn)
        offline = fill(drawn, pack_lengths(drawn, CAPACITY), CAPACITY)
        yield Figure(
            name=f"stream_fill_{name}",
            value=streamed,
            unit="of slots",
            target=0.9997 if name == "log_normal" else 0.99,
            gated=True,
            tolerance=0.0002,
            detail={"window": _WINDOW, "documents": count, "offline": offline, "apart_by_1000": _apart(drawn)},
        )
        if name == "log_normal":
            yield Figure(name="stream_rate", value=count / seconds, unit="documents/s")


def _streamed(lengths: NDArray[np.int64]) -> tuple[float, float]:
    """Fill of the rows, and seconds for all documents one by one."""
    packer = RowPacker(CAPACITY, _WINDOW)
    began = time.process_time()
    num_rows = sum(len(packer.add(number, length)) for number, length in enumerate(lengths.tolist()))
    num_rows += len(packer.flush())
    return int(lengths.sum()) / (num_rows * CAPACITY), time.process_time() - began


def _apart(lengths: NDArray[np.int64]) -> float:
    """Fill when every 1000 documents are planned apart, as TRL and LLaMA-Factory do by default."""
    parts = range(0, len(lengths), 1000)
    num_rows = sum(pack_lengths(lengths[start : start + 1000], CAPACITY).num_rows for start in parts)
    return int(lengths.sum()) / (num_rows * CAPACITY)


def _balance(lengths: NDArray[np.int64]) -> Iterator[Figure]:
    plan = pack_lengths(lengths, CAPACITY)
    costs = RowCost().of_rows(*row_sums(lengths, plan.row_of, plan.num_rows))
    shuffled = np.random.default_rng(1).permutation(len(costs))
    for num_ranks in (8, 64):
        order = balanced_order(costs, num_ranks=num_ranks, window_rows=_WINDOW, seed=1)
        yield Figure(
            name=f"lockstep_slowdown_{num_ranks}_ranks",
            value=lockstep_slowdown(costs, order, num_ranks=num_ranks),
            unit="x",
            better="lower",
            target=1.01,
            gated=True,
            tolerance=0.002,
            detail={"window": _WINDOW, "shuffled": lockstep_slowdown(costs, shuffled, num_ranks=num_ranks)},
        )


def _read(lengths: NDArray[np.int64], num_tokens: int, rounds: int) -> Iterator[Figure]:
    with tempfile.TemporaryDirectory() as folder:
        reader = _packed_set(lengths, Path(folder) / "packed", num_tokens)
        order = np.random.default_rng(2).permutation(reader.num_rows).tolist()
        batches = [order[start : start + _BATCH_ROWS] for start in range(0, len(order), _BATCH_ROWS)]
        out = np.empty(_BATCH_ROWS * CAPACITY, np.uint32)
        starts = [len(out) * int(number) for number in np.random.default_rng(4).permutation(len(batches))]

        def rows() -> None:
            for batch in batches:
                reader.row_tokens(batch, out)

        def memcpy() -> None:
            for start in starts:  # as many bytes, each once, and from one place
                part = reader.tokens[start : start + len(out)]
                np.copyto(out[: len(part)], part)

        times = interleave({"rows": rows, "memcpy": memcpy}, rounds=3 * rounds)
        read = interleave({"rows with labels": lambda: [reader.row(index) for index in order[:256]]}, rounds=rounds)
        yield Figure(
            name="read_rows_vs_memcpy",
            value=times.ratio("memcpy", "rows"),
            unit="of its rate",
            target=0.7,
            gated=True,
            tolerance=0.15,
            detail={"rows": len(order), "rows_a_batch": _BATCH_ROWS, "spread": times.spread("memcpy", "rows")},
        )
        yield Figure(name="read_rate", value=reader.num_tokens / times.best("rows"), unit="tokens/s")
        some = sum(int(reader.row_sums()[0][index]) for index in order[:256])
        yield Figure(
            name="read_with_positions_and_labels_rate", value=some / read.best("rows with labels"), unit="tokens/s"
        )


def _packed_set(lengths: NDArray[np.int64], folder: Path, num_tokens: int) -> PackedReader:
    """A finished set of at least `num_tokens`, its checksums verified."""
    random = np.random.default_rng(3)
    writer = PackedWriter(folder, max_length=CAPACITY)
    for number, length in enumerate(lengths[: int(np.searchsorted(np.cumsum(lengths), num_tokens)) + 1].tolist()):
        target = np.ones(length, np.bool_)
        target[: length // 8] = False
        writer.append(random.integers(0, 150_000, length).astype(np.uint32), target, document=str(number))
    writer.publish(writer.finish())
    reader = PackedReader(folder)
    reader.check_all()
    return reader


def _peer(module: str) -> Any:
    """The peer's module, or None where it is not installed."""
    try:
        return importlib.import_module(module)
    except ModuleNotFoundError as missing:
        if (missing.name or "").partition(".")[0] != module.partition(".")[0]:
            raise
        return None


def _missing(package: str) -> Figure:
    hint: dict[str, object] = {"not installed": f"pip install '{package}', or the extra reasonmill[peers]"}
    return Figure(name=f"peer_{package}_installed", value=0, unit="", detail=hint)
