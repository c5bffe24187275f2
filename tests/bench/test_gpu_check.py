"""The GPU check proves itself without a GPU: tiny sizes through the interpreter, and faults that it must outlive."""

from importlib.util import find_spec

import orjson
import pytest

from reasonmill.bench.gpu import check

needs_triton = pytest.mark.skipif(find_spec("triton") is None, reason="triton is not installed: nothing to interpret")


@needs_triton
@pytest.mark.slow
def test_every_part_runs_dry_and_one_file_holds_what_was_measured(tmp_path, capsys):
    path = tmp_path / "made" / "gpu.json"
    status = check.main(["--output", str(path), "--dry-run"])
    record = orjson.loads(path.read_bytes())
    states = {name: (part["state"], part["tail"]) for name, part in record["parts"].items()}
    assert states == dict.fromkeys(check.PARTS, ("ok", ""))
    assert status == 0
    assert record["dry_run"] is True
    measured = {figure["name"] for stage in record["stages"].values() for figure in stage}
    assert {"passed_tests", "launch_us", "device_us", "tiny_8_ours_ms", "error_of_head_16", "norm_step_ms"} <= measured
    assert {"tiny_over_matrix", "grouped_sdpa_ms"} <= measured
    assert find_spec("quack") or any("quack" in remark for remark in record["parts"]["loss_quack"]["remarks"])
    assert "loss: ok" in capsys.readouterr().out


def test_a_part_that_cannot_run_is_recorded_and_the_others_go_on(tmp_path, monkeypatch):
    monkeypatch.setenv("CUDA_VISIBLE_DEVICES", "")
    monkeypatch.setattr(check, "PARTS", {"attention": 60, "nonsense": 60})
    path = tmp_path / "gpu.json"
    assert check.main(["--output", str(path)]) == 1
    parts = orjson.loads(path.read_bytes())["parts"]
    assert parts["attention"]["state"] == "failed"
    assert "torch sees no GPU" in parts["attention"]["tail"]
    assert parts["nonsense"]["state"] == "failed"
    assert "reasonmill.bench.gpu.nonsense" in parts["nonsense"]["tail"]


def test_a_part_that_hangs_is_killed_and_a_part_without_time_is_not_run(tmp_path, monkeypatch):
    assert check.run_part("attention", 0.2, dry_run=True).state == "timeout"
    monkeypatch.setattr(check, "_DEADLINE_S", 5)
    path = tmp_path / "gpu.json"
    assert check.main(["attention", "--output", str(path), "--dry-run"]) == 1
    assert orjson.loads(path.read_bytes())["parts"]["attention"]["state"] == "not run"


def test_an_unknown_part_is_refused_with_the_known_ones(tmp_path, capsys):
    with pytest.raises(SystemExit):
        check.main(["los", "--output", str(tmp_path / "r.json")])
    assert "no part 'los'; there are tests, pack, loss" in capsys.readouterr().err


def test_lines_that_are_no_figures_are_the_parts_own_words():
    assert check._told('{"figure":{"name":"a"}}\n') == {"figure": {"name": "a"}}
    assert check._told('{"figure":{"na') is None
    assert check._told("Traceback (most recent call last):\n") is None
