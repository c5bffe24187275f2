"""The command line: each verb parses its arguments here and does its work elsewhere, imported when it is asked for.

Exit status: 0 done, 1 failed, 2 the user's mistake, 128 + N stopped by signal N.
"""

import argparse
import re
import sys
from collections.abc import Callable, Sequence
from pathlib import Path

from rich.console import Console

from reasonmill.engine import verbs
from reasonmill.engine.console import LastingConsole, show_any_text

_OVERRIDE = re.compile(r"[a-z_]+(\.\w+)*=")  # behind an option that takes several files it looks like one more
_NAMED = re.compile(r"[^=.]+=.+\.(jsonl|jsonl\.zst|json|parquet)$")  # NAME=FILE is none


def main(arguments: Sequence[str] | None = None) -> None:
    """Entry point of `reasonmill`."""
    show_any_text()
    sys.exit(run_command(sys.argv[1:] if arguments is None else list(arguments)))


def run_command(arguments: list[str]) -> int:
    """Exit status of one command line; errors of the user are one line on standard error."""
    parser = _parser()
    options, rest = parser.parse_known_args(arguments)
    # argparse takes key=value only right behind the recipe; people also write it behind an option
    if any(text.startswith("-") or "=" not in text for text in rest) or (rest and "overrides" not in options):
        parser.error(f"unrecognized arguments: {' '.join(rest)}")
    for name in ("input", "queries", "against"):
        files = getattr(options, name, None)
        if "overrides" not in options or not isinstance(files, list):
            continue
        named = [text for text in files if _OVERRIDE.match(text) and not (_NAMED.match(text) or Path(text).exists())]
        setattr(options, name, [text for text in files if text not in named])
        rest = [*named, *rest]
        if named and len(named) == len(files):
            parser.error(f"argument --{name}: expected at least one file")
    if rest:
        options.overrides = [*options.overrides, *rest]
    work: Callable[[argparse.Namespace, Console], int] = options.work
    return verbs.guarded(work, options, LastingConsole())


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(
        prog="reasonmill",
        description="Questions in; verified reasoning traces, a dataset and a fine-tuned student out.",
        epilog="A first run: reasonmill run recipes/quickstart.yaml. What this machine can do: reasonmill doctor.",
    )
    parser.add_argument("--version", action="version", version=f"%(prog)s {verbs.version()}")
    commands = parser.add_subparsers(title="verbs", metavar="VERB", required=True)
    _add_run(commands)
    _add_curate(commands)
    _add_calibrate(commands)
    _add_generate(commands)
    _add_verify(commands)
    _add_pack(commands)
    _add_train(commands)
    _add_evaluate(commands)
    _add_export(commands)
    _add_report(commands)
    _add_plan(commands)
    _add_simulate_teacher(commands)
    _add_bench(commands)
    _add_doctor(commands)
    return parser


_Commands = argparse._SubParsersAction  # argparse has no public name for what add_subparsers returns


def _add_recipe(command: argparse.ArgumentParser, *, dry_run: str = "print the resolved recipe and stop") -> None:
    command.add_argument("recipe", metavar="RECIPE.yaml", help="what to run; see recipes/")
    command.add_argument(
        "overrides",
        nargs="*",
        default=[],  # or argparse would ask for one
        metavar="section.key=value",
        help="replace values of the recipe, e.g. attempts.max_attempts=4",
    )
    command.add_argument("--dry-run", action="store_true", help=dry_run)


def _add_several(
    command: argparse.ArgumentParser, *names: str, metavar: str, what: str, required: bool = False
) -> None:
    """An option of one or more values, which may be given again for more."""
    command.add_argument(*names, nargs="+", action="extend", default=[], required=required, metavar=metavar, help=what)


def _add_settings(command: argparse.ArgumentParser, what: str, dest: str = "overrides") -> None:
    help_text = f"{what}; may be given again"
    command.add_argument("--set", dest=dest, action="append", default=[], metavar="key=value", help=help_text)


def _add_section_settings(command: argparse.ArgumentParser, section: str) -> None:
    _add_settings(command, f"a setting of the recipe's section {section}")


def _add_run(commands: "_Commands[argparse.ArgumentParser]") -> None:
    command = commands.add_parser(
        "run",
        help="the whole flow: curate, ask until verified, pack, train, evaluate, report",
        description="Run a recipe from the first query to the report. After any kind of death --resume goes on.",
    )
    _add_recipe(command)
    command.add_argument("--output-dir", metavar="DIR", help="the run's folder (default: runs/NAME-TIME)")
    command.add_argument("--limit", type=int, metavar="N", help="read at most N queries")
    command.add_argument(
        "--resume", action="store_true", help="go on with the run in --output-dir (default: the newest)"
    )
    command.set_defaults(work=verbs.run)


def _add_curate(commands: "_Commands[argparse.ArgumentParser]") -> None:
    from reasonmill.engine.store.published import QUESTIONS

    command = commands.add_parser(
        "curate",
        help="filter, deduplicate and decontaminate queries",
        description="Writes kept.jsonl, removed.jsonl (each removal with its evidence) and counts.json. The question "
        f"of a row is its messages, its conversations, or text under {', '.join(QUESTIONS)}.",
    )
    _add_several(
        command, "--queries", "--input", required=True, metavar="Q", what=".jsonl, .jsonl.zst, .json or .parquet"
    )
    _add_several(
        command, "--against", metavar="EVAL", what="evaluation sets to decontaminate against, FILE or NAME=FILE"
    )
    command.add_argument("--output-dir", required=True, metavar="DIR")
    command.add_argument("--category", help="category of rows that name none")
    command.add_argument(
        "--index",
        metavar="DIR",
        help="what earlier calls kept: new queries are compared with it, then added (made if it is not there)",
    )
    _add_section_settings(command, "curate")
    command.set_defaults(work=verbs.curate)


def _add_calibrate(commands: "_Commands[argparse.ArgumentParser]") -> None:
    command = commands.add_parser(
        "calibrate",
        help="find the cosine above which an embedding model's vectors mean the same question",
        description="Plants the evaluation questions in disguise among the queries and writes the model's profile, for "
        "curate.embeddings.profile: threshold, recall by disguise, clean queries flagged, error against float32.",
    )
    _add_several(command, "--queries", required=True, metavar="Q", what="real queries, 100 at least")
    _add_several(command, "--against", required=True, metavar="EVAL", what="evaluation sets, FILE or NAME=FILE")
    command.add_argument("--output", required=True, metavar="PROFILE.json")
    command.add_argument("--limit", type=int, default=2000, metavar="N", help="read so many of each (default: 2000)")
    command.add_argument(
        "--max-flagged",
        type=float,
        default=0.001,
        metavar="SHARE",
        help="of the clean queries, that the threshold may flag (default: 0.001)",
    )
    _add_settings(command, "curate.embeddings")
    command.set_defaults(work=verbs.calibrate)


def _add_generate(commands: "_Commands[argparse.ArgumentParser]") -> None:
    command = commands.add_parser(
        "generate",
        help="ask the teachers of a recipe until verified, without training",
        description="As `run`, without the sections train and evaluate: ends with the dataset and packed rows.",
    )
    _add_recipe(command)
    command.add_argument("--output-dir", metavar="DIR", help="the run's folder (default: runs/NAME-TIME)")
    command.add_argument("--limit", type=int, metavar="N", help="read at most N queries")
    command.add_argument("--resume", action="store_true", help="go on with the run in --output-dir")
    command.set_defaults(work=verbs.generate)


def _add_verify(commands: "_Commands[argparse.ArgumentParser]") -> None:
    command = commands.add_parser(
        "verify",
        help="judge responses against their answers, tests or constraints",
        description="Each input row has id, category, prompt or messages, response, and ground_truth, test_case or "
        "instruction_constrain. Each output line, in the same order: id, outcome, score, verifier, reason, duration_s.",
    )
    command.add_argument("--input", required=True, metavar="R", help=".jsonl, .jsonl.zst, .json or .parquet")
    command.add_argument("--output", required=True, metavar="V.jsonl")
    command.add_argument("--workers", type=int, metavar="N", help="algebra workers and sandbox slots, N of each")
    command.add_argument(
        "--deadline-s", type=float, metavar="S", help="time for one comparison, and CPU time of one program's test"
    )
    command.add_argument(
        "--resume", action="store_true", help="go on behind the last whole line of a half-written output"
    )
    command.add_argument(
        "--max-unreadable-share",
        type=float,
        default=0.01,
        metavar="SHARE",
        help="share of rows that may be unreadable before the exit status is 1 (default: 0.01)",
    )
    command.add_argument(
        "--audit",
        type=int,
        metavar="N",
        help="also check N rows in a second way (plain Math-Verify, a judge) and write where the two disagree to "
        "OUTPUT.audit.json",
    )
    _add_section_settings(command, "verify")
    command.set_defaults(work=verbs.verify)


def _add_pack(commands: "_Commands[argparse.ArgumentParser]") -> None:
    command = commands.add_parser(
        "pack",
        help="pack a dataset into rows of fixed length",
        description="Renders conversations with a chat template, marks the final response as the target, and packs.",
    )
    _add_recipe(command, dry_run="say what the rows would be like, from lengths alone, and write nothing")
    what = "dataset files (.parquet or .jsonl); a dry run also takes rows with no more than num_tokens"
    _add_several(command, "--input", required=True, metavar="DATASET", what=what)
    command.add_argument("--output-dir", metavar="DIR", help="folder of the packed rows; needed but for a dry run")
    command.add_argument(
        "--show", type=int, default=0, metavar="N", help="print the first N samples with their loss mask in colour"
    )
    command.set_defaults(work=verbs.pack)


def _add_train(commands: "_Commands[argparse.ArgumentParser]") -> None:
    command = commands.add_parser(
        "train",
        help="fine-tune a student on packed rows under ZeRO-3",
        description="Trains on a packed folder; started again on the same folder, goes on from the newest checkpoint.",
    )
    _add_recipe(command, dry_run="print the resolved recipe, the steps and the memory that it will take, and stop")
    command.add_argument("--packed", metavar="DIR", help="folder that `pack` or `run` wrote; needed but for a dry run")
    command.add_argument(
        "--output-dir", metavar="DIR", help="metrics, checkpoints and student; needed but for a dry run"
    )
    command.add_argument(
        "--tokens", type=int, metavar="N", help="with --dry-run and without --packed: foretell for so many tokens"
    )
    command.add_argument(
        "--samples", type=int, metavar="N", help="the same for so many samples, where pack.packing is false: a row each"
    )
    command.set_defaults(work=verbs.train)


def _add_evaluate(commands: "_Commands[argparse.ArgumentParser]") -> None:
    from reasonmill.engine.evaluate.presets import PRESETS

    command = commands.add_parser(
        "evaluate",
        help="pass@1 of models on held-back questions",
        description="Samples answers of each model to each set of questions and judges them; writes evaluation.json, "
        "its tables as evaluation.md, and the answers to evaluation.answers/, from which the same command goes on.",
    )
    command.add_argument(
        "recipe", nargs="?", metavar="RECIPE.yaml", help="sections evaluate, verify and teachers; these are evaluated"
    )
    command.add_argument(
        "overrides", nargs="*", default=[], metavar="section.key=value", help="replace values of the recipe"
    )
    _add_several(command, "--model", metavar="M", what="FOLDER or NAME=FOLDER of a model, or its name at --base-url")
    _add_several(command, "--questions", metavar="Q", what="questions with answers or tests, FILE or NAME=FILE")
    command.add_argument("--output", required=True, metavar="evaluation.json")
    _add_several(command, "--base-url", metavar="URL", what="OpenAI-compatible servers, http://host:8000/v1")
    command.add_argument("--api-key-env", metavar="NAME", help="environment variable that holds the servers' key")
    command.add_argument("--preset", choices=tuple(PRESETS), help="prompts, sampling and samples as a report has them")
    command.add_argument("--samples", type=int, metavar="N", help="answers to each question")
    command.add_argument("--rounds", type=int, metavar="N", help="ask again N - 1 times, with the last answer")
    command.add_argument("--limit", type=int, metavar="N", help="at most N questions of each set")
    command.add_argument("--seed", type=int, metavar="N", help="of the sampling (default: the recipe's, else 0)")
    command.add_argument(
        "--resume",
        action=argparse.BooleanOptionalAction,
        default=True,
        help="use the answers that are on disk (the default), or ask for all of them again",
    )
    command.add_argument("--dry-run", action="store_true", help="say what would be asked of whom, and stop")
    _add_settings(command, "a setting of the section evaluate", dest="settings")
    command.set_defaults(work=verbs.evaluate)


def _add_export(commands: "_Commands[argparse.ArgumentParser]") -> None:
    command = commands.add_parser(
        "export",
        help="a run's dataset in another form",
        description="Writes a run's accepted samples as JSONL in the released schema, as ShareGPT, as messages, or as "
        "one parquet file. A name that ends in .zst is compressed.",
    )
    command.add_argument("run_dir", metavar="RUN", help="folder of a run")
    command.add_argument("--format", default="released", choices=("released", "sharegpt", "messages", "parquet"))
    command.add_argument("--output", required=True, metavar="F", help="file to write")
    command.set_defaults(work=verbs.export)


def _add_report(commands: "_Commands[argparse.ArgumentParser]") -> None:
    command = commands.add_parser(
        "report",
        help="the HTML page of a run",
        description="Writes RUN/report.html, one self-contained page: funnel with reasons, attempts, lengths, loss, "
        "pass@1, timeline and bottleneck; and RUN/analysis.json with its numbers. Works on a run that is not finished.",
    )
    command.add_argument("run_dir", metavar="RUN", help="folder of a run")
    command.set_defaults(work=verbs.report)


def _add_plan(commands: "_Commands[argparse.ArgumentParser]") -> None:
    command = commands.add_parser(
        "plan",
        help="what a recipe will take: tokens, time and GPU-hours of each stage, bottleneck, best split",
        description="Rehearses the recipe's scheduler in virtual time with teachers as they are simulated, measured by "
        "an earlier run (--rates) or assumed (--set). After the run --run shows plan against actual.",
    )
    command.add_argument("recipe", metavar="RECIPE.yaml")
    command.add_argument(
        "overrides", nargs="*", default=[], metavar="section.key=value", help="replace values of the recipe"
    )
    command.add_argument("--limit", type=int, metavar="N", help="read at most N queries")
    command.add_argument("--gpus", type=int, metavar="N", help="split so many over teachers and trainer")
    command.add_argument("--rates", metavar="RUN", help="take lengths, pass rates and speeds from this run")
    command.add_argument("--run", metavar="RUN", help="compare with what this run took")
    command.add_argument("--json", action="store_true", help="as JSON")
    what = (
        "an assumption: mfu=0.4, student_parameters=7e9, teacher.lengths=DeepSeek-R1 for all teachers,"
        " teachers.NAME.lengths and gpus_of.NAME for one, verify_s.code=2, …"
    )
    _add_settings(command, what, dest="assumptions")
    command.set_defaults(work=verbs.plan)


def _add_simulate_teacher(commands: "_Commands[argparse.ArgumentParser]") -> None:
    command = commands.add_parser(
        "simulate-teacher",
        help="an OpenAI-compatible server whose answers, speed and faults are simulated",
        description="Answers by seed as teachers of published lengths, pass rates and speeds do; fails at given "
        "rates. Prints one line `ready http://HOST:PORT/v1` for each address.",
    )
    command.add_argument("--host", default="127.0.0.1")
    command.add_argument("--port", type=int, default=8000, help="of the first replica, the others follow; 0: free ones")
    command.add_argument("--replicas", type=int, default=1, metavar="N")
    command.add_argument("--one-port", action="store_true", help="all replicas behind one address")
    command.add_argument("--model", default="simulated", metavar="NAME", help="name that is served")
    command.add_argument("--max-num-seqs", type=int, default=32, metavar="N", help="requests that run at once")
    command.add_argument("--max-model-len", type=int, default=40_960, metavar="N", help="tokens of prompt and answer")
    command.add_argument("--speed-up", type=float, default=1.0, metavar="X", help="times the published speed")
    command.add_argument("--seed", type=int, default=0, help="of the simulated world")
    command.add_argument("--category", default="math", help="of prompts that are no simulated queries")
    command.add_argument(
        "--stream-interval", type=int, default=0, metavar="N", help="tokens of one event of a stream (0: as they come)"
    )
    command.add_argument("--log", metavar="F.jsonl", help="a line for each request asked, finished, delivered, aborted")
    command.add_argument(
        "--write-queries", metavar="Q.jsonl", help="write simulated queries, which it can answer rightly, and stop"
    )
    command.add_argument("--num-queries", type=int, default=1000, metavar="N", help="with --write-queries")
    _add_several(command, "--categories", metavar="C", what="with --write-queries; default: the published shares")
    _add_settings(command, "lengths=DeepSeek-R1, pass_rate=0.5, faults.drop_rate=0.01, faults.error_rate=0.01, …")
    command.set_defaults(work=verbs.simulate_teacher)


def _add_bench(commands: "_Commands[argparse.ArgumentParser]") -> None:
    command = commands.add_parser(
        "bench",
        help="measure the stages, beside their peers where these are installed",
        description="Runs the benches of the named stages (default: all) and shows each figure beside its target.",
    )
    command.add_argument("stages", nargs="*", metavar="STAGE")
    command.add_argument("--scale", choices=("ci", "node"), default="ci", help="ci: minutes on two cores")
    command.add_argument("--output", metavar="R.json", help="write the figures, the machine and the versions")
    command.add_argument(
        "--compare", metavar="BASELINE.json", help="fail when a ratio is worse than in an earlier result"
    )
    command.set_defaults(work=verbs.bench)


def _add_doctor(commands: "_Commands[argparse.ArgumentParser]") -> None:
    command = commands.add_parser(
        "doctor",
        help="what this machine has, what is missing, and the command that installs it",
        description="Looks at processor, memory, compilers, sandbox, GPUs and packages, and says what each stage will "
        "use. Status 1 only if reasonmill itself is broken.",
    )
    command.add_argument("--json", action="store_true", help="as JSON")
    command.set_defaults(work=verbs.doctor)
