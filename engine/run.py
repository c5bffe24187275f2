"""`reasonmill run`: one recipe, one run directory, from the first query to the report. Whatever ends a run, what it did
is in the journal, its processes are gone, and the message says how to go on.
"""

import asyncio
import os
import signal
import sqlite3
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from rich.console import Console

from reasonmill.engine.console import tell
from reasonmill.engine.faults import RunFailed, Stopped, first_failure
from reasonmill.engine.flow.closing import summary_lines
from reasonmill.engine.flow.inputs import check_inputs, prepare_inputs, resolve_recipe
from reasonmill.engine.flow.pipeline import run_pipeline
from reasonmill.engine.flow.progress import Progress
from reasonmill.engine.flow.run_directory import HeldRunDirectory, RunDirectory, choose_directory
from reasonmill.engine.flow.summary import write_summary
from reasonmill.engine.flow.telemetry import Telemetry
from reasonmill.engine.flow.warden import start_warden
from reasonmill.engine.recipe import Recipe
from reasonmill.engine.report.build import build_report
from reasonmill.engine.store.aside import named
from reasonmill.engine.store.card import write_card


def run(recipe: Recipe, *, output_dir: str | None, resume: bool, console: Console) -> Path:
    """Run a recipe to its end; returns the run directory. Raises ValueError for what the user can mend, Stopped after
    Ctrl-C, SIGTERM or a closed terminal, and whatever else stopped it.
    """
    root = choose_directory(output_dir or recipe.run.output_dir, recipe.run.name, resume=resume)
    with HeldRunDirectory(root, recipe, resume=resume) as paths, _guarded(root):
        console.print(f"run directory {root}", highlight=False)
        telemetry = Telemetry(paths.root)
        try:
            with Progress(console, telemetry, paths.train / "metrics.jsonl") as progress:
                with named(paths.inputs):
                    inputs = prepare_inputs(recipe.queries, paths.inputs, recipe.run.seed)
                resolved = resolve_recipe(recipe, inputs)
                check_inputs(resolved)
                asyncio.run(_until_stopped(run_pipeline(resolved, paths, inputs, telemetry, show=progress.show)))
        except BaseException as failure:
            _close_after(failure, recipe, paths, telemetry, console)
            raise
        telemetry.close()
        _close(recipe, paths, "finished", telemetry, console)
    return root


def _close_after(
    failure: BaseException, recipe: Recipe, paths: RunDirectory, telemetry: Telemetry, console: Console
) -> None:
    """Close a run that `failure` ended. What ended it may keep this from being written too (a full disk), and is what
    the user must see: a second failure is one more line, never the error.
    """
    state = "stopped" if isinstance(failure, Stopped) else "failed"
    with _noted():
        telemetry.close()
    if paths.journal.exists() and (state == "stopped" or telemetry.counters["attempts"]):
        with _noted():
            _close(recipe, paths, state, telemetry, console)


@contextmanager
def _noted() -> Iterator[None]:
    """A failure of the block is a line on standard error."""
    try:
        yield
    except (OSError, RunFailed, sqlite3.Error) as further:
        tell(f"also: {further}")


def _close(recipe: Recipe, paths: RunDirectory, state: str, telemetry: Telemetry, console: Console) -> None:
    write_summary(recipe, paths, state, telemetry.counters)
    write_card(paths.root, recipe.card)
    build_report(paths.root)
    summary = write_summary(recipe, paths, state, telemetry.counters)  # once more: it names the report
    for line in summary_lines(summary, paths.root):
        console.print(line, highlight=False, soft_wrap=True)


@contextmanager
def _guarded(root: Path) -> Iterator[None]:
    """Children cannot outlive the run: a warden watches this process, and sweeps when the block ends."""
    warden = start_warden(str(root), dict(os.environ))
    try:
        yield
    finally:
        assert warden.stdin is not None, "the warden was started with a pipe"
        warden.stdin.close()
        warden.wait()


async def _until_stopped(work: object) -> None:
    """Await a coroutine; a signal to stop cancels it once, and it tears itself down in order. A terminal that is closed
    counts as one, and says so twice: to the shell's jobs, then to the foreground. Under nohup it does not count.
    """
    task = asyncio.ensure_future(work)  # type: ignore[call-overload]
    received: list[int] = []

    def stop(number: int) -> None:
        if not received:
            received.append(number)
            task.cancel()
            tell(f"\n{signal.Signals(number).name}: stopping in order, a second one kills")
        elif number != signal.SIGHUP:
            os.kill(os.getpid(), signal.SIGKILL)

    loop = asyncio.get_running_loop()
    numbers = [signal.SIGINT, signal.SIGTERM]
    if signal.getsignal(signal.SIGHUP) is not signal.SIG_IGN:
        numbers.append(signal.SIGHUP)
    for number in numbers:
        loop.add_signal_handler(number, stop, number)
    try:
        await task
    except asyncio.CancelledError:
        if received:
            raise Stopped(received[0]) from None
        raise
    except BaseExceptionGroup as group:
        if received:
            raise Stopped(received[0]) from None
        raise first_failure(group) from None
    finally:
        for number in numbers:
            loop.remove_signal_handler(number)
