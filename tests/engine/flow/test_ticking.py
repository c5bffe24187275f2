"""What happens beside the work: figures that cannot be written end the run, a reader that went away does not."""

import asyncio
import errno
import subprocess
import sys
from pathlib import Path

import orjson
import pytest

from reasonmill.engine.flow import pipeline
from reasonmill.engine.flow.telemetry import Telemetry

RECIPE = """
run: {name: piped}
queries: {paths: [queries.jsonl]}
teachers: [{name: sums, kind: scripted, script: "arithmetic:1.0"}]
"""


def test_a_terminal_that_went_away_ends_the_showing_and_not_the_figures(tmp_path, monkeypatch):
    monkeypatch.setattr(pipeline, "TICK_S", 0.001)
    shown = []

    def show():
        shown.append(1)
        raise OSError(errno.EIO, "gone")

    async def scenario(telemetry):
        task = asyncio.create_task(pipeline._tick(telemetry, show))
        while (tmp_path / "metrics.jsonl").read_bytes().count(b"\n") < 5:
            await asyncio.sleep(0.001)
        task.cancel()
        await asyncio.gather(task, return_exceptions=True)

    telemetry = Telemetry(tmp_path)
    asyncio.run(scenario(telemetry))
    telemetry.close()
    assert shown == [1]


def test_figures_that_cannot_be_written_are_an_error_that_names_their_file(tmp_path):
    telemetry = Telemetry(tmp_path)
    telemetry._metrics.close()
    with Path("/dev/full").open("ab", buffering=0) as full:
        telemetry._metrics = full
        with pytest.raises(OSError, match=r"No space left.*metrics\.jsonl"):
            asyncio.run(pipeline._tick(telemetry, lambda: None))
        with pytest.raises(OSError, match=r"metrics\.jsonl"):
            telemetry.close()
    assert telemetry._spans._stream.closed


def test_a_run_whose_reader_leaves_goes_on_to_its_end(tmp_path):
    (tmp_path / "recipe.yaml").write_text(RECIPE)
    row = {"prompt": "What is 1 + 7?", "category": "math", "ground_truth": "8"}
    (tmp_path / "queries.jsonl").write_bytes(orjson.dumps(row))
    command = [str(Path(sys.executable).parent / "reasonmill"), "run", "recipe.yaml", "--output-dir", "out"]
    process = subprocess.Popen(command, cwd=tmp_path, stdout=subprocess.PIPE, stderr=subprocess.PIPE)
    assert process.stdout.readline().startswith(b"run directory")
    process.stdout.close()
    error = process.stderr.read()
    process.stderr.close()
    assert (process.wait(120), error) == (0, b"")
    assert orjson.loads((tmp_path / "out" / "summary.json").read_bytes())["state"] == "finished"
