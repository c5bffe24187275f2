"""What each verb of the command line does, with everything heavy imported on first use, and what an error looks like:
one line that names the place and the value, and an exit status.
"""

import argparse
import asyncio
import errno
import os
import signal
import sys
import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import asdict, replace
from importlib import metadata
from pathlib import Path
from typing import TYPE_CHECKING, TypeVar

from rich.console import Console

from reasonmill.engine.console import silence, tell
from reasonmill.engine.extras import check_packages, install_command
from reasonmill.engine.faults import RunFailed, Stopped
from reasonmill.engine.teachers.protocol import TeacherFault

if TYPE_CHECKING:
    from reasonmill.engine.recipe import Recipe
    from reasonmill.packing.chat import ChatEncoder, Encoded
    from reasonmill.packing.settings import PackSettings

S = TypeVar("S")

DONE, FAILED, MISTAKE = 0, 1, 2
_PROGRESS_S = 5.0


def version() -> str:
    """Version of the installed distribution."""
    return metadata.version("reasonmill")


def guarded(work: Callable[[argparse.Namespace, Console], int], options: argparse.Namespace, console: Console) -> int:
    """Exit status of a verb; what the user can mend and what the machine refuses become one line on standard error."""
    # `python -m` puts the working directory on the path, where the folder ./kernels hides the package of that name
    os.environ["PYTHONSAFEPATH"] = "1"
    try:
        return work(options, console)
    except (ValueError, FileNotFoundError, IsADirectoryError, NotADirectoryError) as mistake:
        return _say(mistake, MISTAKE)
    except ModuleNotFoundError as missing:
        return _say_missing(missing)
    except BrokenPipeError:
        silence()
        return 128 + signal.SIGPIPE
    except (RunFailed, TeacherFault, OSError) as failure:
        return _say(failure, FAILED)
    except Stopped as stopped:
        _say_stopped(str(stopped), options)
        return stopped.status
    except KeyboardInterrupt:
        if hasattr(options, "resume"):
            _say_stopped("SIGINT", options)
        return 128 + signal.SIGINT


def _say_stopped(by: str, options: argparse.Namespace) -> None:
    how = "the same command with --resume" if hasattr(options, "resume") else "the same command"
    tell(f"stopped by {by}: {how} goes on")


def _say_missing(missing: ModuleNotFoundError) -> int:
    command = install_command([missing.name or ""])
    if command is None:
        raise missing
    return _say(f"{(missing.name or '').partition('.')[0]} is not installed: {command}", MISTAKE)


def _say(error: object, status: int) -> int:
    tell("; ".join((f"error: {error}", *getattr(error, "__notes__", ()))))
    return status


def run(options: argparse.Namespace, console: Console) -> int:
    """`reasonmill run`."""
    return _run(options, console, whole=True)


def generate(options: argparse.Namespace, console: Console) -> int:
    """`reasonmill generate`."""
    return _run(options, console, whole=False)


def _run(options: argparse.Namespace, console: Console, *, whole: bool) -> int:
    from reasonmill.engine.recipe import load_recipe
    from reasonmill.engine.run import run as run_recipe

    if options.output_dir == "":  # a variable of the shell that is not set
        raise ValueError("--output-dir is empty; the working directory is '.'")
    limit = [f"queries.limit={options.limit}"] if options.limit is not None else []
    recipe = load_recipe(options.recipe, [*options.overrides, *limit])
    if not whole:
        recipe = replace(recipe, train=None, evaluate=None)
    if (recipe.pack and recipe.pack.kind == "pairs") or (recipe.train and recipe.train.preference):
        raise ValueError("pack.kind, train.preference: a run trains on samples; pairs are for the verbs pack and train")
    if options.dry_run:
        return _print_recipe(recipe)
    check_packages(recipe)
    run_recipe(recipe, output_dir=options.output_dir, resume=options.resume, console=console)
    return DONE


def _print_recipe(recipe: object) -> int:
    import yaml

    from reasonmill.engine.recipe_loader import as_plain

    yaml.safe_dump(as_plain(recipe), sys.stdout, sort_keys=False, allow_unicode=True)
    return DONE


def _settings(cls: type[S], overrides: Sequence[str]) -> S:
    from reasonmill.engine.recipe_loader import apply_overrides, build

    return build(cls, apply_overrides({}, overrides))


def curate(options: argparse.Namespace, console: Console) -> int:
    """`reasonmill curate`."""
    from reasonmill.engine.curate.files import curate_files
    from reasonmill.engine.curate.output import paths_written
    from reasonmill.engine.curate.settings import CurateSettings

    settings = _settings(CurateSettings, options.overrides)
    folder = Path(_output_dir(options.output_dir))
    against = [*_paths_of(options.against), *(item.path for item in settings.against)]
    _keep([*options.queries, *against], paths_written(folder))
    counts = asyncio.run(
        curate_files(
            options.queries,
            options.against,
            options.output_dir,
            settings,
            category=options.category,
            index=options.index,
            on_progress=_progress_printer(console),
        )
    )
    _print_counts(console, counts)
    return DONE


def calibrate(options: argparse.Namespace, console: Console) -> int:
    """`reasonmill calibrate`."""
    from reasonmill.engine.curate.calibrate import calibrate as find_profile
    from reasonmill.engine.curate.calibrate import refusal
    from reasonmill.engine.curate.settings import EmbeddingSettings

    settings = _settings(EmbeddingSettings, options.overrides)
    _keep([*options.queries, *_paths_of(options.against)], [options.output])
    limits = {"limit": options.limit, "max_flagged": options.max_flagged}
    profile = asyncio.run(find_profile(options.queries, options.against, settings, **limits))
    profile.write(options.output)
    _print_counts(console, asdict(profile))
    if why := refusal(profile, settings):
        raise ValueError(why)
    return DONE


def _progress_printer(console: Console) -> Callable[[str], None]:
    """Prints what it is told, at most once in five seconds."""
    last = time.monotonic()

    def show(progress: str) -> None:
        nonlocal last
        if time.monotonic() - last >= _PROGRESS_S:
            last = time.monotonic()
            console.print(progress, highlight=False)

    return show


def verify(options: argparse.Namespace, console: Console) -> int:
    """`reasonmill verify`."""
    from reasonmill.engine.verify_command import audit_path
    from reasonmill.engine.verify_command import run as run_verify

    _keep([options.input], [options.output, *([] if options.audit is None else [audit_path(options.output)])])
    return DONE if run_verify(options, console) else FAILED


def pack(options: argparse.Namespace, console: Console) -> int:
    """`reasonmill pack`."""
    from reasonmill.engine.pack_files import pack_files, survey_files
    from reasonmill.engine.recipe import load_recipe
    from reasonmill.packing.layout import CHUNKS, DATA_FILES

    recipe = _with_folders(load_recipe(options.recipe, options.overrides))
    if recipe.pack is None:
        raise ValueError(f"recipe {options.recipe!r} has no section pack")
    if recipe.pack.kind == "pairs":
        _print_counts(console, _pack_pairs(options, recipe.pack))
        return DONE
    num_ranks = (8, 64) if recipe.train is None else (recipe.train.num_ranks, 8, 64)
    show = _sample_printer(console, options.show)
    if options.dry_run:
        figures = survey_files(options.input, recipe.pack, num_ranks=num_ranks, show=show)
    else:
        if options.output_dir is None:
            raise ValueError("--output-dir is missing: the folder of the packed rows")
        _keep(options.input, [Path(options.output_dir) / name for name in (*DATA_FILES, CHUNKS, "removed.jsonl")])
        folder = _output_dir(options.output_dir)
        figures = pack_files(options.input, folder, recipe.pack, num_ranks=num_ranks, show=show)
    _print_counts(console, figures)
    return DONE


def _pack_pairs(options: argparse.Namespace, settings: "PackSettings") -> dict[str, object]:
    from reasonmill.engine.pack_pairs import pack_pair_files

    if options.show:
        raise ValueError("--show: pairs cannot be shown")
    if options.output_dir is None and not options.dry_run:
        raise ValueError("--output-dir is missing: the folder of the packed rows")
    folder = None if options.dry_run else _output_dir(options.output_dir)
    if folder is not None:
        _keep(options.input, [Path(folder) / "removed.jsonl"])
    return pack_pair_files(options.input, folder, settings)


def _sample_printer(console: Console, number: int) -> Callable[["ChatEncoder", str, "Encoded"], None]:
    """Prints the first `number` samples it is given with their loss mask in colour."""
    from reasonmill.packing.show import show_sample

    left = number

    def show(encoder: "ChatEncoder", name: str, encoded: "Encoded") -> None:
        nonlocal left
        if left > 0:
            left -= 1
            sizes = {"num_tokens": len(encoded.target), "num_targets": int(encoded.target.sum())}
            console.print(show_sample(encoder.spans(encoded), name=name, **sizes))

    return show


def _with_folders(recipe: "Recipe") -> "Recipe":
    """The recipe with the names of embedded and packaged models replaced by their folders."""
    from reasonmill.engine.flow.inputs import Inputs, resolve_recipe

    return resolve_recipe(recipe, Inputs(queries=recipe.queries.paths))


def train(options: argparse.Namespace, console: Console) -> int:
    """`reasonmill train`."""
    from reasonmill.engine.recipe import load_recipe
    from reasonmill.engine.train.files import foretell, train_files

    recipe = _with_folders(load_recipe(options.recipe, options.overrides))
    if recipe.train is None or recipe.pack is None:
        raise ValueError(f"recipe {options.recipe!r} has no section train, or no section pack that names the tokenizer")
    if options.dry_run:
        _print_recipe(recipe)
        extent = {"num_tokens": options.tokens, "num_samples": options.samples}
        for line in foretell(options.packed, recipe.train, recipe.pack, **extent):
            console.print(line, highlight=False, markup=False, soft_wrap=True)
        return DONE
    for name in ("tokens", "samples"):
        if getattr(options, name) is not None:
            raise ValueError(f"--{name} {getattr(options, name)} foretells, and goes with --dry-run alone")
    for name in ("packed", "output_dir"):
        if getattr(options, name) is None:
            raise ValueError(f"--{name.replace('_', '-')} is missing; only a dry run goes without")
    student = asyncio.run(train_files(options.packed, _output_dir(options.output_dir), recipe.train, recipe.pack))
    console.print(f"student {student}", highlight=False)
    return DONE


def evaluate(options: argparse.Namespace, console: Console) -> int:
    """`reasonmill evaluate`."""
    from reasonmill.engine.evaluate.command import run as run_evaluate

    run_evaluate(options, console)
    return DONE


def export(options: argparse.Namespace, console: Console) -> int:
    """`reasonmill export`."""
    from reasonmill.engine.store.export import export_run

    number = export_run(_run_dir(options.run_dir), options.format, Path(options.output))
    console.print(f"{number:,} samples in {options.output}", highlight=False)
    return DONE


def report(options: argparse.Namespace, console: Console) -> int:
    """`reasonmill report`."""
    from reasonmill.engine.report.build import build_report

    console.print(str(build_report(_run_dir(options.run_dir))), highlight=False)
    return DONE


def plan(options: argparse.Namespace, console: Console) -> int:
    """`reasonmill plan`."""
    from reasonmill.engine.plan.command import main

    return main(options, console)


def simulate_teacher(options: argparse.Namespace, console: Console) -> int:
    """`reasonmill simulate-teacher`."""
    from reasonmill.engine.simulation.serve import main

    return main(options, console)


def bench(options: argparse.Namespace, console: Console) -> int:
    """`reasonmill bench`."""
    import importlib

    # the layer above this one: found by name, so that imports go down
    measure: Callable[[argparse.Namespace, Console], int] = importlib.import_module("reasonmill.bench.command").run
    return measure(options, console)


def doctor(options: argparse.Namespace, console: Console) -> int:
    """`reasonmill doctor`."""
    from reasonmill.engine.doctor import main

    return main(as_json=options.json, console=console)


def _run_dir(text: str) -> Path:
    path = Path(text)
    if not path.is_dir():
        raise ValueError(f"run directory {text!r} does not exist")
    if not any(
        (path / name).exists() for name in ("recipe.resolved.yaml", "journal.sqlite", "summary.json", "dataset")
    ):
        raise ValueError(f"{text!r} is no run directory: it holds neither a recipe, a journal, a summary nor a dataset")
    return path


def _output_dir(text: str) -> str:
    """A folder to write to, made if need be. Raises ValueError where its name can be none."""
    if not text:
        raise ValueError("--output-dir is empty; the working directory is '.'")
    try:
        Path(text).mkdir(parents=True, exist_ok=True)
    except OSError as error:
        if error.errno not in (errno.EEXIST, errno.ENOTDIR, errno.ENAMETOOLONG, errno.ELOOP):
            raise
        raise ValueError(f"--output-dir {text[:200]!r} cannot be made: {error.strerror}") from None
    return text


def _paths_of(named: Sequence[str]) -> list[str]:
    """FILE of each FILE or NAME=FILE."""
    from reasonmill.engine.store.file_names import name_and_path

    return [name_and_path(text)[1] for text in named]


def _keep(inputs: Sequence[str], outputs: Sequence[str | Path]) -> None:
    """Raise ValueError where a file that is read would be overwritten."""
    read = {Path(path).resolve() for path in inputs}
    for path in outputs:
        if Path(path).resolve() in read:
            raise ValueError(f"{str(path)!r} is an input and would be overwritten: choose another output")


def _print_counts(console: Console, counts: Mapping[str, object]) -> None:
    for name, value in counts.items():
        console.print(f"{name:>24}  {value}", highlight=False)
