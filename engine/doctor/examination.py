"""The whole examination, in a few hundred milliseconds: probes run side by side, each with a deadline of its own.

What is absent is a finding, never an exception; the exit status is 1 only where not even the light install works.
"""

import sys
from collections.abc import Callable, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import asdict, dataclass
from typing import Any

import orjson
from rich.console import Console
from rich.table import Table
from rich.text import Text

from reasonmill.engine.doctor import libraries, machine, sandbox
from reasonmill.engine.doctor.finding import Finding, State

_COLOURS: dict[State, str] = {"ok": "green", "degraded": "yellow", "missing": "red"}


@dataclass(frozen=True, kw_only=True, slots=True)
class StagePlan:
    """What a stage will use on this machine, and whether it can run at all."""

    stage: str
    state: State
    uses: str


@dataclass(frozen=True, kw_only=True, slots=True)
class Report:
    """Findings by area, and what follows for the stages."""

    findings: tuple[Finding, ...]
    stages: tuple[StagePlan, ...]

    @property
    def usable(self) -> bool:
        """Whether the light install works: curation, verification, export, report."""
        return not any(f.needed and f.state == "missing" for f in self.findings)

    def as_json(self) -> dict[str, Any]:
        """The report as a JSON value."""
        return {
            "usable": self.usable,
            "findings": [asdict(finding) for finding in self.findings],
            "stages": [asdict(stage) for stage in self.stages],
        }


def run_doctor() -> Report:
    """Examine this machine."""
    probes: tuple[Callable[[], Finding | list[Finding]], ...] = (
        machine.python,
        machine.processor,
        machine.memory,
        machine.disk,
        machine.shared_memory,
        machine.accelerators,
        machine.loopback,
        machine.open_files,
        sandbox.bubblewrap,
        sandbox.cgroups,
        sandbox.compiler,
        libraries.dependencies,
        libraries.native_kernels,
        libraries.torch,
        libraries.trainer,
        libraries.embeddings,
        libraries.reasoning_gym,
        libraries.instruction_checkers,
    )
    with ThreadPoolExecutor(len(probes)) as pool:
        results = list(pool.map(lambda probe: probe(), probes))
    findings = [f for result in results for f in (result if isinstance(result, list) else [result])]
    gpu = has_gpu(findings)
    findings.append(libraries.vllm(gpu=gpu))
    if gpu:
        findings += libraries.gpu_kernels()
    return Report(findings=tuple(findings), stages=tuple(plan_stages(findings)))


def has_gpu(findings: Sequence[Finding]) -> bool:
    """Whether the driver showed a GPU."""
    return any(f.name == "GPUs" and f.state == "ok" and f.found != "none" for f in findings)


def plan_stages(findings: Sequence[Finding]) -> list[StagePlan]:
    """What each stage will use, given the findings."""
    state: dict[str, State] = {finding.name: finding.state for finding in findings}
    gpu = has_gpu(findings)

    def all_of(*names: str) -> bool:
        return all(state.get(name, "ok") != "missing" for name in names)

    def plan(stage: str, possible: bool, uses: str, without: str, *, degraded: bool = False) -> StagePlan:
        if not possible:
            return StagePlan(stage=stage, state="missing", uses=without)
        return StagePlan(stage=stage, state="degraded" if degraded else "ok", uses=uses)

    native = state["native kernels"] == "ok"
    meaning = "with" if state["embeddings"] == "ok" else "without"
    fast = "compiled kernels" if native else "Python references of the kernels"
    sandboxed = state["bubblewrap"] != "missing"
    languages = "Python and C++" if state["g++"] == "ok" else "Python"
    code = f"code in {languages} in bubblewrap" if sandboxed else "code is not run: no sandbox"
    device = "the GPUs" if gpu else "the CPU"
    others = "endpoint, simulated and scripted"
    ranks = f"DeepSpeed ZeRO-3 on {device} ({'nccl' if gpu else 'gloo'})"
    return [
        plan(
            "curate",
            True,
            f"{fast}, {meaning} decontamination by meaning",
            "",
            degraded=not (native and meaning == "with"),
        ),
        plan("generate", True, f"vLLM on {device}, OpenAI endpoints", "")
        if all_of("vLLM", "torch")
        else plan("generate", True, f"{others} teachers; vLLM's need vLLM", "", degraded=True),
        plan(
            "verify",
            True,
            f"answers in worker processes; {code}",
            "",
            degraded=state["bubblewrap"] != "ok" or state["g++"] != "ok",
        ),
        plan("pack", all_of("transformers"), "a chat template of transformers", "cannot run: no transformers"),
        plan("train", all_of("torch", "deepspeed", "transformers", "safetensors"), ranks, "cannot run"),
        plan("evaluate", True, f"vLLM on {device}, OpenAI endpoints", "")
        if all_of("vLLM", "torch")
        else plan("evaluate", True, "OpenAI endpoints; folders of models need vLLM", "", degraded=True),
        plan("report", True, "own charts, no further library", ""),
    ]


def main(*, as_json: bool, console: Console) -> int:
    """`reasonmill doctor`: print the report; returns the exit status."""
    report = run_doctor()
    if as_json:
        sys.stdout.write(orjson.dumps(report.as_json(), option=orjson.OPT_INDENT_2).decode() + "\n")
    else:
        _print(report, console)
    return 0 if report.usable else 1


def _print(report: Report, console: Console) -> None:
    for area in dict.fromkeys(finding.area for finding in report.findings):
        rows = [(f.name, f.state, f.found, f.matters) for f in report.findings if f.area == area]
        console.print(_table(area, rows))
    console.print(_table("what each stage will use", [(s.stage, s.state, s.uses, "") for s in report.stages]))
    commands = [(f.name, f.install) for f in report.findings if f.install]
    if commands:
        console.print("[bold]to install or mend[/bold]")
        for name, command in commands:
            console.print(Text(f"  {name:<16}  {command}"), soft_wrap=True)


def _table(title: str, rows: Sequence[tuple[str, State, str, str]]) -> Table:
    table = Table(title=title, title_justify="left", title_style="bold", box=None, pad_edge=False, show_header=False)
    table.add_column(min_width=16, max_width=16, no_wrap=True)
    table.add_column(min_width=8, no_wrap=True)
    table.add_column(overflow="fold")
    for name, state, found, matters in rows:
        line = Text(found)
        if matters:
            line.append(f"  {matters}", style="dim")
        table.add_row(f"  {name}", Text(state, style=_COLOURS[state]), line)
    return table
