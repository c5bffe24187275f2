"""The frame of the benches: figures against targets and baselines, interleaved timing, files."""

import argparse
import itertools

import pytest
from rich.console import Console

from reasonmill.bench import command, record
from reasonmill.bench.figure import Figure
from reasonmill.bench.method import interleave


def test_a_figure_knows_whether_its_target_is_met_on_either_side():
    assert Figure(name="a", value=2.0, unit="x", target=2.0).met is True
    assert Figure(name="a", value=1.9, unit="x", target=2.0).met is False
    assert Figure(name="a", value=1.9, unit="s", better="lower", target=2.0).met is True
    assert Figure(name="a", value=1.9, unit="s").met is None


def test_only_gated_figures_regress_and_only_beyond_their_tolerance():
    figures = {
        "pack": [
            Figure(name="ratio", value=8.9, unit="x", gated=True),
            Figure(name="near", value=9.1, unit="x", gated=True),
            Figure(name="waste", value=1.2, unit="%", better="lower", gated=True),
            Figure(name="rate", value=1.0, unit="rows/s"),
        ]
    }
    lines = command.regressions(figures, {"pack": {"ratio": 10.0, "near": 10.0, "waste": 1.0, "rate": 100.0}})
    assert [line.split()[1] for line in lines] == ["pack.ratio", "pack.waste"]


def test_contestants_take_turns_and_the_ratio_is_the_median_over_rounds():
    ticks = itertools.count()
    order = []
    clock_of = {"slow": 0.0}

    def work(name, cost):
        order.append(name)
        clock_of["slow"] += cost

    timings = interleave(
        {"slow": lambda: work("slow", 3.0), "fast": lambda: work("fast", 1.0)},
        rounds=3,
        clock=lambda: clock_of["slow"] + 0 * next(ticks),
        warm_up=False,
    )
    assert order == ["slow", "fast", "fast", "slow", "slow", "fast"]
    assert timings.ratio("slow", "fast") == pytest.approx(3.0)
    assert timings.best("fast") == pytest.approx(1.0)


def test_a_record_is_read_back_and_anything_else_is_refused_by_name(tmp_path):
    path = tmp_path / "results" / "r.json"
    record.write_record(path, "ci", {"pack": [Figure(name="ratio", value=8.5, unit="x", target=6.0)]})
    assert record.read_values(path) == {"pack": {"ratio": 8.5}}
    (tmp_path / "other.json").write_text("[1]")
    with pytest.raises(ValueError, match=r"other\.json"):
        record.read_values(tmp_path / "other.json")


def test_an_unknown_stage_is_refused_with_the_known_ones():
    options = argparse.Namespace(stages=["pakc"], compare=None, output=None, scale="ci")
    with pytest.raises(ValueError, match="pakc"):
        command.run(options, Console(quiet=True))
