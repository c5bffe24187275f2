"""The command line inside the test's own process: what a test of it costs is the run, not the imports."""

import pytest

from reasonmill.engine.cli import run_command


@pytest.fixture
def reasonmill(tmp_path, monkeypatch, capsys):
    """Run one command line in `tmp_path`; returns status, standard output and standard error."""
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("PYTHONSAFEPATH", "1")

    def run(*arguments):
        capsys.readouterr()
        try:
            status = run_command([str(argument) for argument in arguments])
        except SystemExit as usage:
            status = usage.code
        return status, *capsys.readouterr()

    return run
