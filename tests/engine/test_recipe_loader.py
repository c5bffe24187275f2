"""Recipes: checked once, and every mistake named with its place and value."""

from dataclasses import dataclass, field

import pytest

from reasonmill.engine.recipe_loader import apply_overrides, as_plain, build, read_yaml


@dataclass(frozen=True, kw_only=True)
class Inner:
    rate: float = 0.5
    names: tuple[str, ...] = ()

    def __post_init__(self):
        if self.rate < 0:
            raise ValueError(f"rate: {self.rate} is negative")


@dataclass(frozen=True, kw_only=True)
class Outer:
    count: int
    inner: Inner = field(default_factory=Inner)
    several: tuple[Inner, ...] = ()
    limit: int | None = None
    on: bool = True


def test_values_are_built_with_their_types():
    outer = build(Outer, {"count": 3, "inner": {"rate": 1}, "several": [{"names": ["a"]}], "limit": 7})
    assert outer == Outer(count=3, inner=Inner(rate=1.0), several=(Inner(names=("a",)),), limit=7)
    assert build(Outer, as_plain(outer)) == outer


@pytest.mark.parametrize(
    ("content", "message"),
    [
        ({"count": 1, "inner": {"rte": 1}}, "unknown key 'inner.rte': did you mean 'inner.rate'"),
        ({"count": 1, "zzz": 1}, "unknown key 'zzz': known are"),
        ({"count": "many"}, "count: 'many' is not an integer"),
        ({"count": True}, "count: True is not an integer"),
        ({"count": 1, "on": "yes please"}, "on: 'yes please' is not true or false"),
        ({"count": 1, "inner": 4}, "inner: 4 is not a section with keys"),
        ({"count": 1, "several": {"rate": 1}}, "several: {'rate': 1} is not a list"),
        ({"count": 1, "several": [{}, {"rate": -1}]}, r"several\[1\]: rate: -1.0 is negative"),
        ({}, "count is missing"),
    ],
)
def test_a_mistake_is_named_with_its_place_and_value(content, message):
    with pytest.raises(ValueError, match=message):
        build(Outer, content)


def test_an_override_replaces_one_value_and_reaches_into_lists():
    content = apply_overrides({"count": 1, "several": [{}]}, ["count=2", "several.0.rate=8e-5", "inner.names=[a, b]"])
    assert build(Outer, content) == Outer(count=2, several=(Inner(rate=8e-5),), inner=Inner(names=("a", "b")))


@pytest.mark.parametrize("override", ["count", "=3", "several.4.rate=1", "count.x=1", "inner.names=[a"])
def test_a_broken_override_is_refused_with_its_text(override):
    with pytest.raises(ValueError, match="override"):
        apply_overrides({"count": 1, "several": []}, [override])


def test_a_recipe_file_that_is_none_is_named(tmp_path):
    for name, text, message in [
        ("broken.yaml", "a: [1", "(line 1, column 6)"),
        ("list.yaml", "- 1", "expected sections"),
        ("twice.yaml", "a: 1\na: 2", "stands twice"),
    ]:
        (tmp_path / name).write_text(text)
        with pytest.raises(ValueError, match=message):
            read_yaml(tmp_path / name)
    with pytest.raises(ValueError, match="does not exist"):
        read_yaml(tmp_path / "missing.yaml")


def test_a_number_with_an_exponent_is_a_number(tmp_path):
    (tmp_path / "r.yaml").write_text("a: 8e-5\nb: 1E3\nc: e5\n")
    assert read_yaml(tmp_path / "r.yaml") == {"a": 8e-5, "b": 1000.0, "c": "e5"}
