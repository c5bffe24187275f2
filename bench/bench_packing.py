"""Rows planned, streamed, balanced and read, beside lightbinpack, TRL and memcpy, on lengths of reasoning samples."""

import ctypes
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
    """Rows out of the map in batches, in random order, held against the fastest copy of as many bytes in one piece."""
    with tempfile.TemporaryDirectory() as folder:
        reader = _packed_set(lengths, Path(folder) / "packed", num_tokens)
        order = np.random.default_rng(2).permutation(reader.num_rows).tolist()
        batches = [order[start : start + _BATCH_ROWS] for start in range(0, len(order), _BATCH_ROWS)]
        out = _aligned(_BATCH_ROWS * CAPACITY)
        whole = [
            len(out) * int(number) for number in np.random.default_rng(4).permutation(reader.num_tokens // len(out))
        ]
        tokens, places = reader.tokens, reader.tokens.ctypes.data

        def copied() -> None:
            for start in whole:  # each token once
                np.copyto(out, tokens[start : start + len(out)])

        def moved() -> None:
            for start in whole:
                ctypes.memmove(out.ctypes.data, places + 4 * start, out.nbytes)

        def rows() -> None:
            for batch in batches:
                reader.row_tokens(batch, out)

        def made() -> None:
            for batch in batches:
                reader.rows(batch)

        contestants = {"rows": rows, "made": made, "copied": copied, "moved": moved}
        times = interleave(contestants, rounds=3 * rounds)
        memcpy = min(("copied", "moved"), key=times.best)
        share = reader.num_tokens / (len(whole) * len(out))  # of tokens that are in no whole piece, and so not copied
        detail = {
            "rows": len(order),
            "rows_a_batch": _BATCH_ROWS,
            "memcpy": {"copied": "NumPy", "moved": "libc"}[memcpy],
        }
        # bytes read and written: of memcpy 4 + 4 a token, of a row with positions and labels 4 1/8 + 3 x 8
        for name, of, bytes_a_token, target in (
            ("read_rows_vs_memcpy", "rows", 8.0, 0.7),
            ("read_rows_with_positions_and_labels_vs_memcpy", "made", 28.125, None),
        ):
            ratio = share * bytes_a_token / 8
            yield Figure(
                name=name,
                value=ratio * times.ratio(memcpy, of),
                unit="of its bytes/s",
                target=target,
                gated=True,
                tolerance=0.15,
                detail={
                    **detail,
                    "best_of_rounds": ratio * times.best(memcpy) / times.best(of),
                    "spread": [ratio * one for one in times.spread(memcpy, of)],
                },
            )
        yield Figure(name="memcpy_rate", value=len(whole) * len(out) / times.best(memcpy), unit="tokens/s")
        yield Figure(name="read_rate", value=reader.num_tokens / times.best("rows"), unit="tokens/s")
        rate = reader.num_tokens / times.best("made")
        yield Figure(name="read_with_positions_and_labels_rate", value=rate, unit="tokens/s")


def _aligned(count: int) -> NDArray[np.uint32]:
    """An array that begins a cache line: libc's copy to any other takes 2.5 times as long on Zen 4."""
    memory = np.empty(count + 16, np.uint32)
    first = -memory.ctypes.data // 4 % 16
    return memory[first : first + count]


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
