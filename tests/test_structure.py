"""The shape of the tree: layers, sizes, light imports, and no shadow over PyPI's `kernels`."""

import ast
import os
import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[1]
FOLDERS = ("kernels", "verify", "packing", "engine", "bench")
MAY_IMPORT = {
    "kernels": {"kernels"},
    "verify": {"verify", "kernels"},
    "packing": {"packing", "kernels"},
    "engine": {"engine", "packing", "verify", "kernels"},
    "bench": set(FOLDERS),
}
HEAVY = ("torch", "vllm", "triton", "deepspeed", "ray", "transformers", "sentence_transformers", "matplotlib", "numba")
MAX_LINES = 400
SOURCES = sorted(p for folder in FOLDERS for p in (ROOT / folder).rglob("*.py"))


def imported_modules(path):
    for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
        if isinstance(node, ast.Import):
            yield from (alias.name for alias in node.names)
        elif isinstance(node, ast.ImportFrom):
            assert node.level == 0, f"{path}: relative import"
            yield node.module


@pytest.mark.parametrize("path", SOURCES, ids=lambda p: str(p.relative_to(ROOT)))
def test_imports_go_down_and_are_absolute(path):
    folder = path.relative_to(ROOT).parts[0]
    for module in imported_modules(path):
        parts = module.split(".")
        if parts[0] == "reasonmill" and len(parts) > 1:
            assert parts[1] in MAY_IMPORT[folder], f"{path} imports {module}"
        assert parts[0] not in {"engine", "packing", "verify", "bench"}, f"{path} imports the bare folder {module}"


def test_no_source_file_is_over_400_lines():
    natives = [p for pattern in ("*.cpp", "*.h") for p in (ROOT / "kernels" / "csrc").rglob(pattern)]
    tests = list((ROOT / "tests").rglob("*.py"))
    long = {
        str(p.relative_to(ROOT)): n
        for p in [*SOURCES, *natives, *tests]
        if (n := p.read_text().count("\n")) > MAX_LINES
    }
    assert not long


def test_every_module_states_its_promise():
    silent = [str(p.relative_to(ROOT)) for p in SOURCES if not ast.get_docstring(ast.parse(p.read_text()))]
    assert not silent


def test_nothing_at_the_root_puts_the_root_on_the_path():
    assert not [name for name in ("conftest.py", "tests/__init__.py", "kernels.py") if (ROOT / name).exists()]


def test_no_two_test_files_share_a_name():
    names = [p.name for p in (ROOT / "tests").rglob("test_*.py")]
    assert len(names) == len(set(names))


def run_python(program):
    environment = {**os.environ, "PYTHONSAFEPATH": "1"}
    return subprocess.run([sys.executable, "-c", program], cwd=ROOT, env=environment, capture_output=True, text=True)


def test_a_light_import_stays_light():
    done = run_python(
        f"import sys, reasonmill.engine, reasonmill.engine.cli; print([m for m in {HEAVY} if m in sys.modules])"
    )
    assert done.stdout.strip() == "[]", done.stdout + done.stderr


def test_the_folder_kernels_does_not_shadow_the_package_of_that_name():
    program = (
        "import importlib.util\n"
        "spec = importlib.util.find_spec('kernels')\n"
        f"assert spec is None or not (spec.origin or '').startswith({str(ROOT / 'kernels')!r}), spec\n"
        f"assert spec is None or {str(ROOT / 'kernels')!r} not in list(spec.submodule_search_locations or []), spec\n"
    )
    done = run_python(program)
    assert done.returncode == 0, done.stderr


def test_every_child_python_is_started_with_a_safe_path():
    """`python -m` puts the working directory on the path: whoever starts one must have set PYTHONSAFEPATH."""
    assert "PYTHONSAFEPATH" in (ROOT / "engine" / "verbs.py").read_text()
    assert "export PYTHONSAFEPATH" in (ROOT / "Makefile").read_text()
