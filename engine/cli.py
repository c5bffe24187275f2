"""The command line: each verb parses its arguments here and does its work elsewhere, imported when it is asked for.

Exit status: 0 done, 1 failed, 2 the user's mistake, 128 + N stopped by signal N.
"""

import argparse
import sys
from collections.abc import Callable, Sequence

from rich.console import Console

from reasonmill.engine import verbs

MIN_PYTHON = (3, 11)


def main(arguments: Sequence[str] | None = None) -> None:
    """Entry point of `reasonmill`."""
    sys.exit(run_command(sys.argv[1:] if arguments is None else list(arguments)))


def run_command(arguments: list[str]) -> int:
    """Exit status of one command line; errors of the user are one line on standard error."""
    parser = _parser()
    options, rest = parser.parse_known_args(arguments)
    # argparse takes key=value only right behind the recipe; people also write it behind an option
    if any(text.startswith("-") or "=" not in text for text in rest) or (rest and "overrides" not in options):
        parser.error(f"unrecognized arguments: {' '.join(rest)}")
    if rest:
        options.overrides = [*options.overrides, *rest]
    work: Callable[[argparse.Namespace, Console], int] = options.work
    return verbs.guarded(work, options, Console())


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
    _add_generate(commands)
    _add_verify(commands)
    _add_pack(commands)
    _add_train(commands)
    _add_evaluate(commands)
    _add_export(commands)
    _add_report(commands)
    _add_bench(commands)
    _add_doctor(commands)
    return parser


_Commands = argparse._SubParsersAction  # argparse has no public name for what add_subparsers returns


def _add_recipe(command: argparse.ArgumentParser) -> None:
    command.add_argument("recipe", metavar="RECIPE.yaml", help="what to run; see recipes/")
    command.add_argument(
        "overrides",
        nargs="*",
        metavar="section.key=value",
        help="replace values of the recipe, e.g. attempts.max_attempts=4",
    )
    command.add_argument("--dry-run", action="store_true", help="print the resolved recipe and stop")


def _add_settings(command: argparse.ArgumentParser, section: str) -> None:
    command.add_argument(
        "--set",
        dest="overrides",
        action="append",
        default=[],
        metavar="key=value",
        help=f"a setting of the recipe's section {section}; may be given again",
    )


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
    command = commands.add_parser(
        "curate",
        help="filter, deduplicate and decontaminate queries",
        description="Writes kept.jsonl, removed.jsonl (each removal with its evidence) and counts.json.",
    )
    command.add_argument(
        "--queries", nargs="+", required=True, metavar="Q", help=".jsonl, .jsonl.zst, .json or .parquet"
    )
    command.add_argument(
        "--against", nargs="*", default=[], metavar="EVAL", help="evaluation sets to decontaminate against"
    )
    command.add_argument("--output-dir", required=True, metavar="DIR")
    command.add_argument("--category", help="category of rows that name none")
    _add_settings(command, "curate")
    command.set_defaults(work=verbs.curate)


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
    _add_settings(command, "verify")
    command.set_defaults(work=verbs.verify)


def _add_pack(commands: "_Commands[argparse.ArgumentParser]") -> None:
    command = commands.add_parser(
        "pack",
        help="pack a dataset into rows of fixed length",
        description="Renders conversations with a chat template, marks the final response as the target, and packs.",
    )
    _add_recipe(command)
    command.add_argument(
        "--input", nargs="+", required=True, metavar="DATASET", help="dataset files (.parquet or .jsonl)"
    )
    command.add_argument("--output-dir", required=True, metavar="DIR", help="folder of the packed rows")
    command.set_defaults(work=verbs.pack)


def _add_train(commands: "_Commands[argparse.ArgumentParser]") -> None:
    command = commands.add_parser(
        "train",
        help="fine-tune a student on packed rows under ZeRO-3",
        description="Trains on a packed folder; started again on the same folder, goes on from the newest checkpoint.",
    )
    _add_recipe(command)
    command.add_argument("--packed", required=True, metavar="DIR", help="folder that `pack` or `run` wrote")
    command.add_argument("--output-dir", required=True, metavar="DIR", help="metrics, checkpoints and student")
    command.set_defaults(work=verbs.train)


def _add_evaluate(commands: "_Commands[argparse.ArgumentParser]") -> None:
    command = commands.add_parser(
        "evaluate",
        help="pass@1 of models on held-back questions",
        description="Samples answers from each model and judges them; writes evaluation.json.",
    )
    command.add_argument("--model", nargs="+", required=True, metavar="DIR", help="Hugging Face model folders")
    command.add_argument("--questions", nargs="+", required=True, metavar="Q", help="queries with answers or tests")
    command.add_argument("--output", required=True, metavar="evaluation.json")
    _add_settings(command, "evaluate")
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
