"""A terminal that goes away, a full disk and a poor character set end the showing, never the work."""

import asyncio
import os
import pty
import signal
import sys
from pathlib import Path

import pytest

from reasonmill.engine import extras
from reasonmill.engine.console import LastingConsole, show_any_text, tell
from reasonmill.engine.faults import Stopped
from reasonmill.engine.recipe import load_recipe
from reasonmill.engine.run import _until_stopped


def test_a_terminal_that_was_closed_ends_the_showing(monkeypatch):
    master, slave = pty.openpty()
    with os.fdopen(slave, "w") as terminal:
        monkeypatch.setattr(sys, "stdout", terminal)
        console = LastingConsole()
        console.print("seen")
        os.close(master)
        console.print("unseen")
        assert console.quiet
        terminal.write("from now on it goes nowhere")


def test_a_full_disk_behind_the_output_is_said_once_and_ends_the_showing(monkeypatch, capsys):
    with Path("/dev/full").open("w", encoding="utf-8") as full:
        monkeypatch.setattr(sys, "stdout", full)
        console = LastingConsole()
        console.print("lost")
        console.print("not tried")
    assert capsys.readouterr().err.count("standard output cannot be written (No space left on device)") == 1


def test_text_that_a_terminal_cannot_show_is_escaped(monkeypatch, tmp_path):
    with (tmp_path / "shown").open("w", encoding="ascii") as stream:
        monkeypatch.setattr(sys, "stdout", stream)
        show_any_text()
        LastingConsole().print("1 · 2")
    assert (tmp_path / "shown").read_text("ascii") == "1 \\xb7 2\n"


def test_nobody_on_standard_error_is_no_error(monkeypatch, tmp_path):
    with (tmp_path / "shown").open("w", encoding="ascii") as stream:
        monkeypatch.setattr(sys, "stderr", stream)
    tell("to a stream that is closed")
    assert stream.closed


def stopped_by(*numbers):
    async def work():
        for number in numbers:
            os.kill(os.getpid(), number)
        await asyncio.sleep(60)

    with pytest.raises(Stopped) as stopped:
        asyncio.run(_until_stopped(work()))
    return stopped.value.status


def test_a_closed_terminal_stops_a_run_in_order_however_often_it_says_so():
    assert stopped_by(signal.SIGHUP) == 129
    assert stopped_by(signal.SIGHUP, signal.SIGHUP) == 129


def test_under_nohup_a_closed_terminal_stops_nothing():
    before = signal.signal(signal.SIGHUP, signal.SIG_IGN)
    try:
        assert stopped_by(signal.SIGHUP, signal.SIGTERM) == 143
    finally:
        signal.signal(signal.SIGHUP, before)


def test_all_missing_packages_of_a_recipe_are_named_at_once_with_one_command(monkeypatch, tmp_path):
    (tmp_path / "recipe.yaml").write_text(
        "queries: {generator: quickstart}\n"
        "teachers: [{name: t, model: folder}]\n"
        "pack: {tokenizer: folder}\n"
        "train: {max_steps: 1}\n"
    )
    recipe = load_recipe(tmp_path / "recipe.yaml")
    monkeypatch.setattr(extras, "find_spec", lambda name: None if name != "torch" else name)
    with pytest.raises(ValueError, match="reasoning_gym, vllm, tokenizers, jinja2, deepspeed: needed") as refusal:
        extras.check_packages(recipe)
    assert "pip install 'reasonmill[quickstart,cpu,train]' (with GPUs cuda in place of cpu)" in str(refusal.value)
    monkeypatch.setattr(extras, "find_spec", lambda name: name)
    extras.check_packages(recipe)


def test_a_package_that_no_part_brings_has_no_command():
    assert extras.install_command(["tokenizers", "torch.nn"]) == "pip install 'reasonmill[train]'"
    assert extras.install_command(["torch", "somebody_elses"]) is None
