"""A run goes on only where it would make what it began, from the journal that knows what was made."""

import sqlite3
from contextlib import closing

import pytest

from reasonmill.engine.flow.run_directory import HeldRunDirectory
from reasonmill.engine.recipe import load_recipe
from reasonmill.engine.store.schema import SCHEMA

RECIPE = """
queries: {generator: simulated}
teachers:
  - {name: a, kind: simulated}
  - {name: b, kind: scripted, script: "arithmetic:1"}
"""


@pytest.fixture
def recipe(tmp_path):
    (tmp_path / "recipe.yaml").write_text(RECIPE)
    return lambda *overrides: load_recipe(tmp_path / "recipe.yaml", overrides)


def held(folder, recipe, *, resume):
    with HeldRunDirectory(folder, recipe, resume=resume) as paths:
        return paths


REFUSED = {
    "teachers.0.name=c": "teachers: 'a' of the run is not there any more",
    "teachers.0.simulation.seed=8": "teachers.a.simulation.seed was 0 and is now 8",
    "teachers.0.simulation.faults.loop_rate=0.5": "teachers.a.simulation.faults.loop_rate was 0.0 and is now 0.5",
    "teachers.1.loop_breaker.min_span=700": "teachers.b.loop_breaker.min_span was 5000 and is now 700",
}


@pytest.mark.parametrize("override", REFUSED)
def test_what_would_change_the_answers_is_refused_by_name(tmp_path, recipe, override):
    held(tmp_path / "run", recipe(), resume=False)
    with pytest.raises(ValueError, match=f"^--resume with another recipe: {REFUSED[override]}$"):
        held(tmp_path / "run", recipe(override), resume=True)
    held(tmp_path / "run", recipe(), resume=True)  # the refusal let go of the folder


@pytest.mark.parametrize(
    "override",
    [
        "teachers.0.simulation.speed_up=9",
        "teachers.0.simulation.replicas=3",
        "teachers.0.simulation.faults.drop_rate=0.5",
        "teachers.0.kind=scripted",
    ],
)
def test_how_a_teacher_is_served_may_change(tmp_path, recipe, override):
    held(tmp_path / "run", recipe("teachers.0.script=arithmetic:1"), resume=False)
    held(tmp_path / "run", recipe("teachers.0.script=arithmetic:1", override), resume=True)


@pytest.mark.parametrize("journal", ["gone", "empty", "new", "whole"])
def test_a_dataset_whose_journal_was_lost_is_not_begun_anew(tmp_path, recipe, journal):
    paths = held(tmp_path / "run", recipe(), resume=False)
    (paths.dataset / "a").mkdir()
    (paths.dataset / "a" / "math-00000.parquet").touch()
    if journal == "empty":
        paths.journal.touch()
    elif journal != "gone":
        with closing(sqlite3.connect(paths.journal)) as connection:
            connection.executescript(SCHEMA)
            if journal == "whole":
                columns = len(connection.execute("SELECT * FROM pragma_table_info('attempts')").fetchall())
                connection.execute(f"INSERT INTO attempts VALUES ({', '.join(['1'] * columns)})")
                connection.commit()
    if journal == "whole":
        held(paths.root, recipe(), resume=True)
        return
    with pytest.raises(ValueError, match="holds a dataset and a journal without it"):
        held(paths.root, recipe(), resume=True)
    assert (paths.dataset / "a" / "math-00000.parquet").exists()
