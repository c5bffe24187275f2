"""Recipes to plan, and a run of one."""

import pytest
import yaml

from reasonmill.engine.recipe import load_recipe


@pytest.fixture
def recipe_file(tmp_path):
    """Writes a recipe of one simulated teacher; `speed_up` and the number of queries are given."""

    def write(*, num_queries=200, speed_up=1.0, simulation=None, **sections):
        teacher = {
            "name": "AM",
            "kind": "simulated",
            "max_num_seqs": 16,
            "simulation": {"replicas": 2, "speed_up": speed_up, **(simulation or {})},
        }
        content = {
            "run": {"name": "planned", "seed": 3},
            "queries": {"generator": "simulated", "num_queries": num_queries, "category": "math"},
            "teachers": [teacher],
            "attempts": {"max_attempts": 4},
            **sections,
        }
        path = tmp_path / "recipe.yaml"
        path.write_text(yaml.safe_dump(content))
        return path

    return write


@pytest.fixture
def recipe(recipe_file):
    """The recipe itself."""

    def load(overrides=(), **given):
        return load_recipe(recipe_file(**given), overrides)

    return load
